"""One worker process, and the node that starts and watches several."""
