//! Turns a root image and an environment into what a site's agent pulls.
