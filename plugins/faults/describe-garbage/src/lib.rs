//! A component whose `describe` answers no JSON. Expected: refused.

faults_describe::describes!("name = describe-garbage, kind = filter".to_owned());
