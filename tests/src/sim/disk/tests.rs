//! The disk forgets and fails as it says.
#![allow(clippy::unwrap_used)]
use super::*;

fn file(disk: &SimDisk, name: &str) -> Arc<dyn DiskFile> {
    disk.open(Path::new(name), true).unwrap()
}

#[test]
fn synced_bytes_under_a_synced_name_survive_every_crash() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        disk.create_dir_all(Path::new("/d/e")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        let kept = file(&disk, "/d/e/kept");
        disk.sync_dir(Path::new("/d/e")).unwrap();
        kept.write_at(&[7; 3000], 100).unwrap();
        kept.sync_data().unwrap();
        kept.write_at(&[8; 3000], 5000).unwrap();
        disk.crash(seed);
        let dead = kept.sync_data().unwrap_err();
        assert_eq!(dead.raw_os_error(), Some(EIO));
        let mut bytes = [0; 3000];
        file(&disk, "/d/e/kept").read_at(&mut bytes, 100).unwrap();
        assert_eq!(bytes, [7; 3000]);
    }
}

#[test]
fn unsynced_bytes_are_sometimes_kept_sometimes_lost_sometimes_torn_at_sectors() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::new(0);
        let torn = file(&disk, "/f");
        disk.sync_dir(Path::new("/")).unwrap();
        torn.write_at(&[0; 2048], 0).unwrap();
        torn.sync_data().unwrap();
        torn.write_at(&[1; 2048], 0).unwrap();
        disk.crash(seed);
        let mut bytes = [9; 2048];
        file(&disk, "/f").read_at(&mut bytes, 0).unwrap();
        for sector in bytes.chunks(SECTOR_BYTES) {
            assert!(sector.iter().all(|byte| *byte == sector[0]));
        }
        outcomes.insert(bytes.iter().filter(|byte| **byte == 1).count());
    }
    assert!(outcomes.contains(&0) && outcomes.contains(&2048) && outcomes.len() > 3);
}

#[test]
fn a_name_whose_directory_was_not_synced_may_vanish_with_its_synced_bytes() {
    let mut found = BTreeSet::new();
    for seed in 0..50 {
        let disk = SimDisk::new(0);
        let lost = file(&disk, "/f");
        lost.write_at(b"x", 0).unwrap();
        lost.sync_data().unwrap();
        disk.crash(seed);
        found.insert(disk.open(Path::new("/f"), false).is_ok());
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn a_rename_without_directory_sync_leaves_the_old_or_the_new() {
    let mut found = BTreeSet::new();
    for seed in 0..50 {
        let disk = SimDisk::new(0);
        for (name, byte) in [("/f", b"1"), ("/f.new", b"2")] {
            let made = file(&disk, name);
            made.write_at(byte, 0).unwrap();
            made.sync_data().unwrap();
        }
        disk.sync_dir(Path::new("/")).unwrap();
        disk.rename(Path::new("/f.new"), Path::new("/f")).unwrap();
        disk.crash(seed);
        let mut byte = [0];
        file(&disk, "/f").read_at(&mut byte, 0).unwrap();
        found.insert(byte);
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn a_failed_sync_loses_bytes_though_the_next_sync_succeeds() {
    let mut lost = 0;
    for seed in 0..40 {
        let disk = SimDisk::new(seed);
        let made = file(&disk, "/f");
        disk.sync_dir(Path::new("/")).unwrap();
        made.write_at(&[1; 512], 0).unwrap();
        disk.fail(Operation::Sync, 1, Failure::Eio);
        assert_eq!(made.sync_data().unwrap_err().raw_os_error(), Some(EIO));
        made.sync_data().unwrap();
        disk.crash(0);
        lost += u32::from(file(&disk, "/f").is_empty().unwrap());
    }
    assert!(lost > 5, "{lost}");
}

#[test]
fn a_full_disk_refuses_growth_but_not_overwriting() {
    let disk = SimDisk::new(0);
    let made = file(&disk, "/f");
    made.write_at(&[1; 1000], 0).unwrap();
    disk.set_capacity(1500);
    assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), 500);
    let full = made.write_at(&[2; 1000], 1000).unwrap_err();
    assert_eq!(full.raw_os_error(), Some(ENOSPC));
    assert_eq!(made.set_len(2000).unwrap_err().raw_os_error(), Some(ENOSPC));
    made.write_at(&[3; 1000], 0).unwrap();
}
