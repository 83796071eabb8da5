guest_liar::liar!(panic!("no name"));
