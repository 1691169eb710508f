//! Every store has the same semantics.

mod memory {
    ringsite_testkit::conformance!((ringsite_oci::Memory::new(), ()));
}

mod layout {
    fn layout() -> (ringsite_oci::Layout, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder for the test");
        (ringsite_oci::Layout::new(folder.path().join("registry")), folder)
    }
    ringsite_testkit::conformance!(layout());
}

mod faulty_without_faults {
    ringsite_testkit::conformance!((ringsite_testkit::Faulty::new(ringsite_oci::Memory::new()), ()));
}
