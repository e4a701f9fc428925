"""Use cases of a twin: answer a fan, admission, publishing."""
