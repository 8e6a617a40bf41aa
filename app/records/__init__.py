"""One record of each request, and its readers: the log, the metrics, the history and the charts' figures."""
