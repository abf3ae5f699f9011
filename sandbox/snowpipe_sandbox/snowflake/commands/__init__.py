"""What each statement does: one module a kind of object, and one for each verb that finds them."""
