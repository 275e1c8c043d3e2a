"""The face: an app, its jobs, their handles; and the one place where the parts are put together."""
