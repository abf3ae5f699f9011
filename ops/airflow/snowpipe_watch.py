"""An Airflow DAG: one round of `invoke watch` every five minutes, before what builds on the tables.

Needs the runbook in the workers' environment, or change ``COMMAND``. The history lies in ``RUNBOOK_HOME``:
give it a folder that all workers share, or pin the task to one queue. See docs/watch.md#airflow.
"""

import os
from datetime import datetime, timedelta

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

COMMAND = "snowpipe-runbook watch --once"
SETTINGS = os.environ.get("SNOWPIPE_SETTINGS", "/opt/airflow/snowpipe/prod.yaml")

with DAG(
    dag_id="snowpipe_watch",
    description="Watch the Snowpipe installation; people are told by its own routes",
    schedule=timedelta(minutes=5),
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 (Airflow's own time zone)
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 0, "execution_timeout": timedelta(minutes=15)},
    tags=["snowpipe"],
) as dag:
    BashOperator(
        task_id="watch",
        # 3: something could not be told this time; the watcher itself says so when it lasts
        bash_command=f"{COMMAND}; code=$?; [ $code = 3 ] || exit $code",
        env={"INVOKE_RUNTIME_CONFIG": SETTINGS, "RUNBOOK_HOME": "/opt/airflow/snowpipe/home"},
        append_env=True,
    )
