//! Which time zone a schedule has, and what is told of it.

use super::*;

const NIGHTLY: &str = "'nightly': {'task': 'a.b', 'schedule': crontab(hour=2, minute=0)}";

/// The zone of `nightly`.
fn nightly(made: &Carried) -> String {
    let schedules = schedules(made);
    let schedule = schedules.iter().find(|schedule| schedule.name.as_str() == "nightly").unwrap();
    let When::Cron { timezone, .. } = &schedule.when else { panic!("{}", made.text) };
    timezone.clone()
}

#[test]
fn a_time_zone_elsewhere_in_the_file_is_not_the_schedules() {
    for other in [
        "'x': {'task': 'a.c', 'schedule': 60, 'kwargs': {'timezone': 'America/New_York'}}",
        "'x': {'task': 'a.c', 'schedule': daily('09:00', timezone='Asia/Tokyo')}",
        "'x': {'task': 'a.c', 'schedule': crontab(), 'timezone': 'Asia/Tokyo'}",
    ] {
        let made = python(&format!("app.conf.timezone = 'UTC'\nbeat_schedule = {{{NIGHTLY}, {other}}}\n")).unwrap();
        assert_eq!((nightly(&made).as_str(), left(&made)), ("UTC", vec![]), "{}", made.text);
    }
    for other in [
        "user.timezone = 'Asia/Tokyo'",
        "row['timezone'] = 'Asia/Tokyo'",
        "report(timezone='Asia/Tokyo')",
        "DATABASES = {'default': {'TIME_ZONE': 'Asia/Tokyo'}}",
        "def today():\n    timezone = 'Asia/Tokyo'",
    ] {
        let made = python(&format!("beat_schedule = {{{NIGHTLY}}}\n{other}\n")).unwrap();
        assert_eq!((nightly(&made).as_str(), left(&made)), ("UTC", vec![]), "{}", made.text);
    }
}

#[test]
fn a_time_zone_counts_where_celery_takes_it() {
    for text in [
        "timezone = 'Asia/Tokyo'\nbeat_schedule = {ENTRY}",
        "CELERY_TIMEZONE = 'Asia/Tokyo'\nCELERY_BEAT_SCHEDULE = {ENTRY}",
        "class Config:\n    timezone = 'Asia/Tokyo'\n    beat_schedule = {ENTRY}",
        "ZONE = 'Asia/Tokyo'\napp = Celery('x', timezone=ZONE)\napp.conf.beat_schedule = {ENTRY}",
        "app.conf.beat_schedule = {ENTRY}\napp.conf.timezone = ZoneInfo('Asia/Tokyo')",
        "app.conf['timezone'] = pytz.timezone('Asia/Tokyo')\napp.conf.beat_schedule = {ENTRY}",
        "app.conf.update(timezone='Asia/Tokyo', beat_schedule={ENTRY})",
        "app.conf.update({'timezone': 'Asia/Tokyo'})\napp.conf.update(beat_schedule={ENTRY})",
        "OPTIONS = dict(timezone='Asia/Tokyo')\napp.conf.update(**OPTIONS)\napp.conf.beat_schedule = {ENTRY}",
        "app.config_from_object({'beat_schedule': {ENTRY}, 'timezone': 'Asia/Tokyo'})",
        "CELERY = {'timezone': 'Asia/Tokyo', 'beat_schedule': {ENTRY}}",
        "settings['timezone'] = 'Asia/Tokyo'\nsettings['beat_schedule'] = {ENTRY}",
        "def make():\n    app.conf.timezone = 'Asia/Tokyo'\n    app.conf.beat_schedule = {ENTRY}",
    ] {
        let text = text.replace("ENTRY", NIGHTLY);
        let made = python(&format!("{text}\n")).unwrap();
        assert_eq!((nightly(&made).as_str(), left(&made)), ("Asia/Tokyo", vec![]), "{text}\n{}", made.text);
    }
}

#[test]
fn time_zones_that_differ_are_told() {
    let text = format!("timezone = 'UTC'\napp.conf.timezone = 'Asia/Tokyo'\nbeat_schedule = {{{NIGHTLY}}}\n");
    let made = python(&text).unwrap();
    assert_eq!(nightly(&made), "Asia/Tokyo");
    assert_eq!(left(&made).len(), 1, "{}", made.text);
    assert!(left(&made)[0].starts_with(r#"the time zone is "UTC" (line 1), "Asia/Tokyo" (line 2); the last one"#));
    let same = python(&text.replace("UTC", "Asia/Tokyo")).unwrap();
    assert_eq!((nightly(&same).as_str(), left(&same)), ("Asia/Tokyo", vec![]));
}

#[test]
fn the_time_zone_of_django_counts_where_celery_has_none_of_its_own() {
    for (settings, zone) in [
        ("TIME_ZONE = 'Asia/Tokyo'", "Asia/Tokyo"),
        ("TIME_ZONE = 'Asia/Tokyo'\nCELERY_ENABLE_UTC = False", "Asia/Tokyo"),
        ("TIME_ZONE = 'Asia/Tokyo'\nCELERY_TIMEZONE = None", "Asia/Tokyo"),
        ("CELERY_TIMEZONE = 'UTC'\nTIME_ZONE = 'Asia/Tokyo'", "UTC"),
    ] {
        let made = python(&format!("{settings}\nCELERY_BEAT_SCHEDULE = {{{NIGHTLY}}}\n")).unwrap();
        assert_eq!((nightly(&made).as_str(), left(&made)), (zone, vec![]), "{}", made.text);
    }
}

#[test]
fn the_zone_of_celerys_machine_and_of_other_files_is_told() {
    for (settings, why) in [
        ("enable_utc = False", "Celery takes the zone of its machine"),
        ("app.conf.enable_utc = UTC_IS_ON", "enable_utc is UTC_IS_ON"),
        ("from shop.settings import *", "`from shop.settings import *` may name one"),
        ("app.config_from_object('django.conf:settings', namespace='CELERY')", "may name one"),
        ("from celeryconfig import *", "`from celeryconfig import *` may name one"),
        ("app.config_from_envvar('CELERY_CONFIG')", "may name one"),
    ] {
        let text = format!("{settings}\nbeat_schedule = {{{NIGHTLY}}}\n");
        let made = python(&text).unwrap();
        assert_eq!((nightly(&made).as_str(), left(&made).len()), ("UTC", 1), "{}", made.text);
        assert!(left(&made)[0].contains(why), "{}", made.text);
        let named = python(&format!("timezone = 'Asia/Tokyo'\n{text}")).unwrap();
        assert_eq!((nightly(&named).as_str(), left(&named)), ("Asia/Tokyo", vec![]), "{}", named.text);
    }
    for settings in [
        "enable_utc = True",
        "from celery.schedules import *",
        "class Config:\n    pass\napp.config_from_object(Config)",
    ] {
        let made = python(&format!("{settings}\nbeat_schedule = {{{NIGHTLY}}}\n")).unwrap();
        assert_eq!(left(&made), Vec::<&str>::new(), "{}", made.text);
    }
}

#[test]
fn the_zone_of_django_is_told_where_a_crontab_of_its_own_has_none() {
    for (zone, zones, told) in [("", "UTC", 1), (r#", "timezone": "Asia/Tokyo""#, "Asia/Tokyo", 0)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("beat.json");
        let rows = format!(
            r#"[{{"model": "django_celery_beat.crontabschedule", "pk": 1, "fields": {{"minute": "0", "hour": "2",
              "day_of_week": "*", "day_of_month": "*", "month_of_year": "*"{zone}}}}},
            {{"model": "django_celery_beat.periodictask", "pk": 1,
              "fields": {{"name": "nightly", "task": "a.b", "crontab": 1}}}}]"#
        );
        fs::write(&file, rows).unwrap();
        let made = celery(&args(file)).unwrap();
        assert_eq!((nightly(&made).as_str(), left(&made).len()), (zones, told), "{}", made.text);
    }
}

#[test]
fn the_zone_that_django_has_without_a_setting_is_told() {
    let made = python(&format!("CELERY_BEAT_SCHEDULE = {{{NIGHTLY}}}\n")).unwrap();
    assert_eq!((nightly(&made).as_str(), left(&made).len()), ("UTC", 1), "{}", made.text);
    assert!(left(&made)[0].contains("Django's settings may name one"), "{}", made.text);
}
