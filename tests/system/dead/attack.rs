//! Dead letters when things go wrong around them: their unit goes, many ask at once, their file cannot be written or is damaged, rows are huge.

use super::*;
use crate::small_disk;

fn put(host: &TestHost, config: &str) {
    let text = config.replace("{http}", &host.http.to_string()).replace("{tcp}", &host.tcp.to_string());
    let answer = host.put("/api/configuration", &text).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn notices(host: &TestHost) -> Vec<String> {
    let alerts = host.json("/api/alerts").unwrap();
    alerts["notices"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}

/// So many letters of one row each, and rows without poison between them.
fn make_letters(host: &TestHost, letters: u64) {
    for n in 0..letters {
        post(host, &events(2 * n, 2 * n + 2, |n| n % 2 == 1));
    }
    wait_letters(host, letters);
}

#[test]
fn what_a_paused_pipeline_was_to_get_is_there_again_when_it_is_removed() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    post(&host, &events(0, 10, |n| n == 3));
    let before = wait_letters(&host, 1).remove(0);
    assert_eq!(host.post("/api/pipelines/p/pause", b"").unwrap().status, 200);
    assert_eq!(ask(&host, "replay", &json!({ "all": true }))["done"], 1);
    wait_letters(&host, 0);
    let without = config.split("[[pipeline]]\nname = \"p\"").next().unwrap().to_owned();
    put(&host, &without);
    let after = wait_letters(&host, 1).remove(0);
    assert_eq!((&after["code"], &after["attempts"]), (&json!("not-run"), &json!(1)), "{after}");
    for same in ["position", "row", "fields", "stream", "unit", "pipeline"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert!(after["why"].as_str().unwrap().contains("there is no unit `p/u`"), "{after}");
    let ports = (host.http, host.tcp);
    let host = TestHost::start_on(&without, host.crash().unwrap(), ports).unwrap();
    assert_eq!(letters(&host), [after]);
    // Its unit is there again, and takes it.
    put(
        &host,
        &config.replace(&format!("use = \"{COMPONENT}\""), "use = \"filter\"").replace(
            &format!("config = {{ fault = \"reject-rows\", {POISON} }}"),
            "config = { keep = \"true\" }",
        ),
    );
    assert_eq!(ask(&host, "replay", &json!({ "unit": "p/u" }))["done"], 1);
    wait_letters(&host, 0);
    host.wait_unit("p/after", "rows_in_total", 1).unwrap();
}

#[test]
fn of_many_who_give_back_and_drop_at_once_each_letter_goes_to_one() {
    const LETTERS: u64 = 600;
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    make_letters(&host, LETTERS);
    assert_eq!(host.unit("p/u", "dead_letters").unwrap(), LETTERS);
    repair(&host);
    let all = json!({ "all": true });
    let (given, dropped) = std::thread::scope(|scope| {
        let given: Vec<_> = (0..3).map(|_| scope.spawn(|| ask(&host, "replay", &all))).collect();
        let dropped: Vec<_> = (0..2).map(|_| scope.spawn(|| ask(&host, "drop", &all))).collect();
        let sum = |threads: Vec<std::thread::ScopedJoinHandle<'_, Value>>| {
            threads.into_iter().map(|one| one.join().unwrap()["done"].as_u64().unwrap()).sum::<u64>()
        };
        (sum(given), sum(dropped))
    });
    assert_eq!(given + dropped, LETTERS);
    wait_letters(&host, 0);
    wait_passed(&host, (LETTERS + given) as usize);
    let host = restart(host, &config);
    assert!(letters(&host).is_empty());
    wait_passed(&host, (LETTERS + given) as usize);
}

#[test]
fn what_came_back_is_given_in_the_order_in_which_it_came_in() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    make_letters(&host, 6);
    let first = letters(&host).pop().unwrap();
    assert_eq!(ask(&host, "replay", &json!({ "ids": [first["id"]] }))["done"], 1);
    // It is the youngest letter now, and still of the oldest event.
    let again = host.wait("/api/dead", |seen| seen["letters"][0]["attempts"] == 2).unwrap();
    assert_eq!(again["letters"][0]["position"], first["position"]);
    wait_passed(&host, 6);
    repair(&host);
    assert_eq!(ask(&host, "replay", &json!({ "all": true }))["done"], 6);
    let rows = wait_passed(&host, 12);
    let odd: Vec<u64> = rows.iter().map(|(_, n)| *n).filter(|n| n % 2 == 1).collect();
    assert_eq!(odd, [1, 3, 5, 7, 9, 11]);
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_costs_no_letter() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    // A folder stands where the file is made.
    let obstacle = host.folder.path().join("data/dead/letters.log.tmp");
    std::fs::create_dir_all(&obstacle).unwrap();
    make_letters(&host, 3);
    host.wait("/api/alerts", |_| notices(&host) == ["dead-letters-not-written"]).unwrap();
    let dropped = dead_of(&host, &["drop", letters(&host)[0]["id"].as_str().unwrap()]);
    assert!(!dropped.status.success() && text(&dropped.stderr).contains("cannot be written"));
    assert!(!host.get("/metrics").unwrap().text().contains("weir_dead_errors_total 0"));
    // The journal makes them again, the dropped one too: nobody was told that it is gone for good.
    let host = restart(host, &config);
    wait_letters(&host, 3);
    std::fs::remove_dir(&obstacle).unwrap();
    host.wait("/api/alerts", |_| notices(&host).is_empty()).unwrap();
    assert!(dead_of(&host, &["drop", "--all"]).status.success());
    assert!(letters(&restart(host, &config)).is_empty());
}

#[test]
fn a_disk_that_is_really_full_is_told_and_costs_no_letter() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    make_letters(&host, 2);
    let (host, inside) = small_disk::start(host, &config, "data/dead", "256k");
    wait_letters(&host, 2);
    small_disk::fill(&inside.join("ballast"));
    post(&host, &events(100, 150, |n| n % 10 == 3));
    wait_letters(&host, 3);
    host.wait("/api/alerts", |_| notices(&host) == ["dead-letters-not-written"]).unwrap();
    // Events go on, what they make is counted, and what could not be written takes no room.
    post(&host, &events(150, 160, |n| n == 155));
    let before: Vec<String> = wait_letters(&host, 4).iter().map(|one| one["id"].to_string()).collect();
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains("weir_dead_evicted_total 0") && !metrics.contains("weir_dead_errors_total 0"));
    assert!(std::fs::read_dir(&inside).unwrap().all(|file| file.unwrap().file_name() != "letters.log.tmp"));
    // The plug is pulled: the disk comes back as it was before, and the journal makes the rest again.
    let dead = host.folder.path().join("data/dead");
    let ports = (host.http, host.tcp);
    let folder = host.crash().unwrap();
    std::fs::remove_dir(&dead).unwrap();
    std::fs::rename(dead.with_extension("before"), &dead).unwrap();
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    let after: Vec<String> = wait_letters(&host, 4).iter().map(|one| one["id"].to_string()).collect();
    assert_eq!(after, before);
    // And once there is room it goes on without a start.
    let (host, inside) = small_disk::start(host, &config, "data/dead", "256k");
    small_disk::fill(&inside.join("ballast"));
    post(&host, &events(200, 210, |n| n == 205));
    wait_letters(&host, 5);
    host.wait("/api/alerts", |_| notices(&host) == ["dead-letters-not-written"]).unwrap();
    std::fs::remove_file(inside.join("ballast")).unwrap();
    host.wait("/api/alerts", |_| notices(&host).is_empty()).unwrap();
    assert!(dead_of(&host, &["drop", "--all"]).status.success());
    wait_letters(&host, 0);
}

#[test]
fn a_damaged_file_is_told_and_the_rest_of_it_is_read() {
    let config = config(&format!("fault = \"reject-rows\", {POISON}"), "hold");
    let host = TestHost::start(&config).unwrap();
    make_letters(&host, 5);
    let ports = (host.http, host.tcp);
    let folder = host.end_in_peace().unwrap();
    let path = folder.path().join("data/dead/letters.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    let host = TestHost::start_on(&config, folder, ports).unwrap();
    assert_eq!(letters(&host).len(), 4, "the oldest was hit");
    assert_eq!(notices(&host), ["dead-letters-damaged"]);
    assert_eq!(std::fs::read(path.with_file_name("letters.damaged")).unwrap(), bytes);
    host.wait("/api/dead", |_| std::fs::read(&path).is_ok_and(|now| now != bytes)).unwrap();
    let host = restart(host, &config);
    assert_eq!((letters(&host).len(), notices(&host).len()), (4, 0), "mended, and not told again");
}

#[test]
fn huge_rows_make_small_letters_and_the_box_stays_within_its_bounds() {
    let config =
        config(&format!("fault = \"reject-rows\", {POISON}"), "hold") + "[dead]\nkeep_bytes = \"2MiB\"\n";
    let host = TestHost::start(&config).unwrap();
    let long = "\u{9b}31m<script>alert(1)</script>".repeat(2_000);
    let row = |n: u64| json!({ "key": "k", "n": n, "x": 13, "long": format!("{n} {long}") }).to_string();
    for n in 0..10 {
        post(&host, &(10 * n..10 * n + 5).map(|n| row(n) + "\n").collect::<String>());
    }
    host.wait("/api/dead", |seen| seen["letters"][0]["fields"]["n"].as_u64() >= Some(92)).unwrap();
    host.wait("/api/alerts", |_| notices(&host) == ["dead-letters-pushed-out"]).unwrap();
    let kept = letters(&host);
    assert!(kept.iter().all(|letter| letter["bytes"].as_u64() < Some(512 << 10)), "{}", kept.len());
    let rows: u64 = kept.iter().map(|letter| letter["rows"].as_u64().unwrap()).sum();
    let metrics = host.get("/metrics").unwrap().text();
    assert!(metrics.contains(&format!("weir_dead_evicted_total {}", 50 - rows)), "{rows}: {metrics}");
    assert!(metrics.contains("weir_dead_rows_total 50"));
    // What a sender said steers no terminal.
    let shown = dead_of(&host, &["show", kept[0]["id"].as_str().unwrap()]);
    let said = text(&shown.stdout);
    assert!(said.contains("<script>") && said.chars().all(|c| c == '\n' || !c.is_control()));
    repair(&host);
    assert_eq!(ask(&host, "replay", &json!({ "all": true }))["refused_total"], 0);
    host.wait_unit("p/after", "rows_in_total", rows).unwrap();
}
