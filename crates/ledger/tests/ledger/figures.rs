//! temporary
use crate::world::{begin, fill, project};
use ringsite_ledger::Ledger;
use ringsite_oci::{Layout, Memory};
use std::time::Instant;

#[tokio::test]
async fn figures() {
    let memory = Memory::new();
    let mut ledger = begin(&memory, None, 10).await;
    let start = Instant::now();
    fill(&mut ledger, 10, 500).await;
    println!("memory: {:?} a commit", start.elapsed() / 500);
    let start = Instant::now();
    Ledger::open(&memory, &project(), None).await.unwrap();
    println!("memory open {:?}", start.elapsed());
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let mut ledger = begin(&layout, None, 10).await;
    let start = Instant::now();
    fill(&mut ledger, 10, 300).await;
    println!("layout: {:?} a commit", start.elapsed() / 300);
    let start = Instant::now();
    Ledger::open(&layout, &project(), None).await.unwrap();
    println!("layout open {:?}", start.elapsed());
}
