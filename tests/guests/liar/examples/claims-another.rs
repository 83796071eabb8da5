guest_liar::liar!(guest_liar::info("payments", "job"));
