package store

import (
	"fmt"
	"time"

	"gouv.tg/messagerie/mailstack/store/database"
)

// schemaVersion is kept in SQLite's user_version.
const schemaVersion = 3

// What changes with every delivery (account_state, mailbox_state) is kept apart from what seldom changes:
// narrow rows mean few pages to write for a batch. No foreign keys: one writer checks what it needs to in
// memory, and Check verifies all references. Times are Unix milliseconds.
const schema = `
CREATE TABLE meta (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  uid_validity  INTEGER NOT NULL, -- the last one given
  accounts_hash TEXT    NOT NULL,
  next_content  INTEGER NOT NULL,
  next_vault    INTEGER NOT NULL,
  segment       INTEGER NOT NULL, -- end of the bytes that metadata refers to
  offset        INTEGER NOT NULL
);
CREATE TABLE accounts (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  address         TEXT    NOT NULL UNIQUE,
  name            TEXT    NOT NULL,
  entity          TEXT    NOT NULL,
  service         TEXT    NOT NULL,
  password        TEXT    NOT NULL,
  source_password TEXT    NOT NULL, -- what the source said last
  scram           TEXT    NOT NULL, -- verifier for SCRAM of the same password
  quota           INTEGER NOT NULL, -- bytes, 0: none
  disabled        INTEGER NOT NULL,
  hold            INTEGER NOT NULL  -- legal hold
);
-- Made when an account first needs it.
CREATE TABLE account_state (
  account   INTEGER PRIMARY KEY,
  used      INTEGER NOT NULL,
  messages  INTEGER NOT NULL,
  modseq    INTEGER NOT NULL,
  mailboxes INTEGER NOT NULL
);
CREATE TABLE mailboxes (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  account      INTEGER NOT NULL,
  name         TEXT    NOT NULL,
  uid_validity INTEGER NOT NULL UNIQUE,
  special_use  TEXT    NOT NULL,
  recent       INTEGER NOT NULL, -- messages from this UID on are recent (RFC 3501, 2.3.2)
  UNIQUE (account, name)
);
CREATE TABLE mailbox_state (
  mailbox  INTEGER PRIMARY KEY,
  uid_next INTEGER NOT NULL,
  modseq   INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  unseen   INTEGER NOT NULL,
  deleted  INTEGER NOT NULL,
  size     INTEGER NOT NULL,
  vanished INTEGER NOT NULL, -- its rows of vanished
  floor    INTEGER NOT NULL  -- rows of vanished up to this modseq were forgotten
);
-- Names outlive their mailboxes (RFC 9051, 6.3.7).
CREATE TABLE subscriptions (
  account INTEGER NOT NULL,
  name    TEXT    NOT NULL,
  PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE messages (
  mailbox  INTEGER NOT NULL,
  uid      INTEGER NOT NULL,
  modseq   INTEGER NOT NULL,
  added    INTEGER NOT NULL, -- modseq when it came
  flags    INTEGER NOT NULL, -- bits, see flags.go
  keywords TEXT    NOT NULL, -- those without a bit, separated by spaces
  date     INTEGER NOT NULL, -- internal date and its zone, see date.go
  saved    INTEGER NOT NULL, -- when it came into the mailbox
  size     INTEGER NOT NULL,
  content  INTEGER NOT NULL,
  PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
-- Messages that never changed have ascending modseqs like UIDs and are found by their UID.
CREATE INDEX messages_changed ON messages (mailbox, modseq) WHERE modseq <> added;
-- Changes of flags that messages do not show yet, see postpone.go: in the order of modseq and n.
CREATE TABLE postponed (
  mailbox       INTEGER NOT NULL,
  modseq        INTEGER NOT NULL,
  n             INTEGER NOT NULL,
  first         INTEGER NOT NULL, -- UIDs
  last          INTEGER NOT NULL,
  from_flags    INTEGER NOT NULL,
  from_keywords TEXT    NOT NULL,
  to_flags      INTEGER NOT NULL,
  to_keywords   TEXT    NOT NULL,
  PRIMARY KEY (mailbox, modseq, n)
) WITHOUT ROWID;
CREATE TABLE contents (
  id        INTEGER PRIMARY KEY,
  segment   INTEGER NOT NULL,
  offset    INTEGER NOT NULL,
  length    INTEGER NOT NULL, -- of the message
  stored    INTEGER NOT NULL, -- of the record's payload
  codec     INTEGER NOT NULL, -- how the payload was made of the message
  crc       INTEGER NOT NULL,
  refs      INTEGER NOT NULL, -- rows of messages, queue and vault
  hash      BLOB    NOT NULL, -- of the message: SHA-256, the first 128 bits
  owner     INTEGER,          -- account that appended it, and shares it when it appends the same again
  sent      INTEGER,          -- NULL: no usable Date field
  thread    INTEGER NOT NULL,
  preview   TEXT    NOT NULL,
  envelope  BLOB,             -- NULL when only the queue refers to it
  structure BLOB
);
-- What compaction asks for: how much of a segment is referred to, and what.
CREATE INDEX contents_placed ON contents (segment, offset, stored);
CREATE INDEX contents_shared ON contents (owner, hash) WHERE owner IS NOT NULL;
CREATE TABLE vanished (
  mailbox INTEGER NOT NULL,
  modseq  INTEGER NOT NULL,
  uid     INTEGER NOT NULL,
  PRIMARY KEY (mailbox, modseq, uid)
) WITHOUT ROWID;
-- The deliveries that accounts already have; ids ascend with time, so that old ones are found without an index.
CREATE TABLE delivered (
  id       INTEGER PRIMARY KEY,
  account  INTEGER NOT NULL,
  delivery TEXT    NOT NULL,
  time     INTEGER NOT NULL,
  UNIQUE (account, delivery)
);
CREATE TABLE queue (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  token        TEXT    NOT NULL UNIQUE,
  sender       TEXT    NOT NULL,
  recipient    TEXT    NOT NULL,
  content      INTEGER NOT NULL,
  size         INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  created      INTEGER NOT NULL,
  next_attempt INTEGER NOT NULL,
  expires      INTEGER NOT NULL,
  last_error   TEXT    NOT NULL
);
CREATE INDEX queue_next_attempt ON queue (next_attempt);
-- Removed mailboxes whose messages are still being swept up.
CREATE TABLE doomed (
  mailbox INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  name    TEXT    NOT NULL,
  removed INTEGER NOT NULL
);
-- Expunged messages that can be recovered; ids ascend with time.
CREATE TABLE vault (
  account  INTEGER NOT NULL,
  id       INTEGER NOT NULL,
  mailbox  TEXT    NOT NULL, -- its name then
  uid      INTEGER NOT NULL,
  flags    INTEGER NOT NULL,
  keywords TEXT    NOT NULL,
  date     INTEGER NOT NULL,
  saved    INTEGER NOT NULL,
  size     INTEGER NOT NULL,
  content  INTEGER NOT NULL,
  expunged INTEGER NOT NULL,
  PRIMARY KEY (account, id)
) WITHOUT ROWID;
-- RFC 4314. The owner, who has all rights, is not listed.
CREATE TABLE acl (
  mailbox    INTEGER NOT NULL,
  identifier TEXT    NOT NULL, -- address or 'anyone', with '-' before it for rights that are taken away
  rights     TEXT    NOT NULL,
  PRIMARY KEY (mailbox, identifier)
) WITHOUT ROWID;
CREATE INDEX acl_identifier ON acl (identifier);
-- RFC 5464. Names are in lower case, without /private or /shared.
CREATE TABLE metadata (
  mailbox INTEGER NOT NULL, -- 0: of the server
  account INTEGER NOT NULL, -- whose private one it is; 0: shared
  name    TEXT    NOT NULL,
  value   BLOB    NOT NULL,
  UNIQUE (mailbox, account, name)
);
`

// migrate makes the tables in a new database and refuses one from a later version.
func migrate(db *database.Conn, now time.Time) error {
	var version int64
	if _, err := db.Row(func(r *database.Rows) { version = r.Int(0) }, "PRAGMA user_version"); err != nil {
		return fmt.Errorf("cannot read the schema version: %w", err)
	}
	switch {
	case version == schemaVersion:
		return nil
	case version != 0:
		return fmt.Errorf("cannot use a database with schema version %d; this program knows %d", version, schemaVersion)
	}
	// UIDVALIDITY starts from the clock: should a store be lost and made anew, clients notice.
	script := fmt.Sprintf("BEGIN; %s INSERT INTO meta VALUES (1, %d, '', 1, 1, 0, 0); PRAGMA user_version = %d; COMMIT;",
		schema, now.Unix(), schemaVersion)
	if err := db.Script(script); err != nil {
		return fmt.Errorf("cannot create tables: %w", err)
	}
	return nil
}
