"""Do the tests notice a changed rule? One small change at a time, each undone again.

    python -m tests.mutants runbook/policies --sample 100 -- tests/unit/test_policy_documents.py

What stands behind ``--`` goes to pytest. A change that no test notices is printed with its line. The checkout
is copied, and never touched.
"""

import argparse
import ast
import copy
import importlib
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parent.parent
OTHER = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """Each small change of one expression."""
    match node:
        case ast.Compare() if type(node.ops[0]) in OTHER:
            new = copy.deepcopy(node)
            new.ops[0] = OTHER[type(node.ops[0])]()  # type: ignore[call-overload]
            yield new
        case ast.BoolOp():
            yield ast.BoolOp(OTHER[type(node.op)](), node.values)  # type: ignore[arg-type]
            for n in range(len(node.values)):
                rest = [value for m, value in enumerate(node.values) if m != n]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        case ast.BinOp() if type(node.op) in OTHER:
            yield ast.BinOp(node.left, OTHER[type(node.op)](), node.right)  # type: ignore[arg-type]
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield ast.Constant(int(node.value) + 1)


def mutants(text: str) -> Iterator[tuple[ast.expr, str, str]]:
    """The place, what stands there and what could, without annotations and docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign | ast.FunctionDef):
            node.annotation = node.returns = None  # type: ignore[union-attr]
        if isinstance(node, ast.JoinedStr):  # its parts have no place of their own before Python 3.12
            node.values = []
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            for new in changed(node):
                old = " ".join((ast.get_source_segment(text, node) or "").split())
                yield node, old, f"({ast.unparse(new)})"


def put(text: str, node: ast.expr, new: str) -> str:
    """The text with something else at a node's place."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    raw = text.encode()
    begin = starts[node.lineno - 1] + node.col_offset
    end = starts[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)
    return (raw[:begin] + new.encode() + raw[end:]).decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    asked, tests = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1 :]
    files = [
        file for path in asked.paths for file in ([path] if path.is_file() else sorted(path.glob("*.py")))
    ]
    found = [(file, *each) for file in files for each in mutants((ROOT / file).read_text())]
    some = random.Random(asked.seed).sample(found, min(asked.sample, len(found)))
    for slow in ("boto3", "moto", "invoke", "pydantic", "snowflake.connector"):
        importlib.import_module(slow)  # once, not for each change
    with TemporaryDirectory() as folder:
        there = Path(folder) / "copy"
        shutil.copytree(ROOT, there, ignore=shutil.ignore_patterns(".venv", ".git", ".*_cache", ".runbook"))
        os.chdir(there)
        sys.path.insert(0, str(there))
        del sys.modules["tests"]  # this checkout's own
        sys.dont_write_bytecode = True  # a change within a second would not be seen

        def passes() -> bool:
            if child := os.fork():
                return os.waitpid(child, 0)[1] == 0
            signal.alarm(300)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", *tests]))

        if not passes():
            print("the tests fail before anything is changed", file=sys.stderr)
            return 2
        survived = 0
        for number, (file, node, old, new) in enumerate(some, 1):
            text = (there / file).read_text()
            (there / file).write_text(put(text, node, new))
            if passes():
                survived += 1
                print(
                    f"{file}:{node.lineno}: {' '.join(old.split())}  ->  {' '.join(new.split())}", flush=True
                )
            (there / file).write_text(text)
            print(f"{number} of {len(some)}, {survived} not noticed", file=sys.stderr, flush=True)
    print(f"{len(some)} of {len(found)} changes tried, {len(some) - survived} noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
