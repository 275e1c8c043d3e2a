"""A job shows which it is, and nothing of what it carries."""

from treadle.core.job import Job, NewJob


def test_a_job_shows_neither_its_arguments_nor_its_meta() -> None:
    job = Job("7", "pay", "mail", b'["canary"]', 1, 20, meta={"token": "canary"})
    assert repr(job) == "Job(id='7', name='pay', queue='mail', attempt=1)"
    new = NewJob(name="pay", queue="mail", args=b'["canary"]', max_attempts=20, meta={"token": "canary"})
    assert repr(new) == "NewJob(name='pay', queue='mail')"
