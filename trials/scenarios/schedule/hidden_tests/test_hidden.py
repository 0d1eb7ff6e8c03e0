import datetime

import pytest
import schedule
from schedule import Scheduler


@pytest.fixture
def ran():
    return []


def due(job):
    job.next_run = datetime.datetime.now() - datetime.timedelta(seconds=5)
    return job


def job(scheduler, ran, name, *tags):
    return due(scheduler.every().hour.do(ran.append, name).tag(*tags))


def test_paused_by_tag(ran):
    scheduler = Scheduler()
    job(scheduler, ran, "a", "db")
    job(scheduler, ran, "b", "mail", "db")
    job(scheduler, ran, "c", "mail")
    job(scheduler, ran, "d")
    scheduler.pause("db")
    scheduler.run_pending()
    assert sorted(ran) == ["c", "d"]


def test_run_all_too(ran):
    scheduler = Scheduler()
    job(scheduler, ran, "a", "db")
    job(scheduler, ran, "b")
    scheduler.pause("db")
    scheduler.run_all()
    assert ran == ["b"]


def test_missed_run_happens_once_after_resume(ran):
    scheduler = Scheduler()
    job(scheduler, ran, "a", "db")
    scheduler.pause("db")
    for _ in range(3):
        scheduler.run_pending()
    scheduler.resume("db")
    scheduler.run_pending()
    scheduler.run_pending()
    assert ran == ["a"]


def test_two_paused_tags(ran):
    scheduler = Scheduler()
    job(scheduler, ran, "a", "db", "mail")
    scheduler.pause("db")
    scheduler.pause("mail")
    scheduler.resume("db")
    scheduler.run_pending()
    assert ran == []
    scheduler.resume("mail")
    scheduler.run_pending()
    assert ran == ["a"]


def test_resume_everything(ran):
    scheduler = Scheduler()
    job(scheduler, ran, "a", "db")
    job(scheduler, ran, "b", "mail")
    scheduler.pause("db")
    scheduler.pause("mail")
    scheduler.resume()
    scheduler.run_pending()
    assert sorted(ran) == ["a", "b"]


def test_resuming_what_is_not_paused_is_no_error():
    scheduler = Scheduler()
    scheduler.resume("nothing")
    scheduler.resume()


def test_a_job_made_while_paused(ran):
    scheduler = Scheduler()
    scheduler.pause("db")
    job(scheduler, ran, "a", "db")
    scheduler.run_pending()
    assert ran == []


def test_shown_as_before(ran):
    scheduler = Scheduler()
    made = job(scheduler, ran, "a", "db")
    scheduler.pause("db")
    assert scheduler.get_jobs() == [made]
    assert scheduler.get_jobs("db") == [made]


def test_module_level(ran):
    schedule.clear()
    due(schedule.every().hour.do(ran.append, "a").tag("db"))
    schedule.pause("db")
    schedule.run_pending()
    assert ran == []
    schedule.resume()
    schedule.run_pending()
    assert ran == ["a"]
    schedule.pause("db")
    schedule.resume("db")
    schedule.clear()


def test_not_on_jobs():
    assert not hasattr(schedule.Job, "pause")
    assert not hasattr(schedule.Job, "resume")
