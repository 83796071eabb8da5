//! (placeholder)
pub struct Folder;
pub enum FolderEvent {}
