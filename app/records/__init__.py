"""One record of each request, and those who read it: the log, the metrics, the history and the hourly figures."""
