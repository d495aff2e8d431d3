// Package store keeps the accounts, mailboxes, messages and outgoing queue of one cell.
//
// Message bytes lie in an append-only segment log (package segment), everything else in a SQLite database
// in WAL mode. One goroutine writes both. Callers' operations queue up for it; it takes as many as are
// waiting, appends their bytes to the log and syncs it, applies all their changes in one SQLite transaction,
// commits that (one more sync), and only then calls who subscribed to what was changed and answers the callers.
// So an answer means that everything is on disk, metadata never refers to missing bytes, and the price of
// two syncs is shared by everybody who was waiting. Bytes whose transaction did not commit are orphans:
// harmless, and never referred to.
//
// One copy of a message's bytes, envelope and body structure serves all its recipients in the cell, its
// copies in other mailboxes, its queue items and the vault; the number of references is counted. Bytes that nothing
// refers to any more stay in the log until compaction, in small steps between deliveries, has copied what else is in
// their segment to the end of the log; a file is removed when no committed row refers to it.
//
// No id, UID or UIDVALIDITY is ever given twice. Each account has one modseq counter (RFC 7162). Expunged messages leave a
// record of mailbox, UID and modseq behind, the latest 50,000 of each mailbox; below the modseq up to which they were
// forgotten, every UID that does not exist may have vanished.
//
// A flag that many messages get is noted as one change of a range of them, which shows in whatever is read; the messages' rows
// are brought up to it some seconds later.
//
// What leaves an account for good, expunged, replaced, moved to another account or removed with its mailbox, lies in the
// account's vault for the time that Options say, and under a legal hold for as long as that is set.
//
// The store knows who has which rights on a mailbox but asks nobody for them: that is for those who speak for a person.
//
// After a failed sync nobody knows what is on disk: the store then refuses writes with ErrFailed until it
// is opened again. A full disk only fails the operations that needed room.
package store
