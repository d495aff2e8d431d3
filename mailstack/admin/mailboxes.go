package admin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"gouv.tg/messagerie/mailstack/archive"
)

// Limits of a batch of imported messages: so many, or so many bytes unless one alone has more.
const (
	batchMessages = 500
	batchBytes    = 8 << 20
	maxBatchBytes = archive.MaxMessage + batchBytes + 16<<20 // body of a POST .../archive
	maxAnswer     = 4 << 20
	maxRestore    = 1 << 20 // body of a POST .../restore
)

// Mailboxes does what the unix socket is asked about mail. The operator's port does not offer it: its certificate gives
// nobody's mail away. Errors are like those of Backend.
type Mailboxes interface {
	// Describe returns an account, without its password.
	Describe(ctx context.Context, address string) (Description, error)
	// Export writes the account's mailboxes, or only one and those below it.
	Export(ctx context.Context, address, mailbox string, w archive.Writer) error
	// Import adds what the account does not have yet.
	Import(ctx context.Context, address string, items []archive.Item) (ImportResult, error)
	// Digests yields the messages of a mailbox whose UIDs are greater than after, with hashes of their bytes as they are
	// read now.
	Digests(ctx context.Context, address, mailbox string, after uint32, yield func(Digest) error) error
	// Vault yields the expunged messages that can be recovered, the oldest removal first.
	Vault(ctx context.Context, address string, yield func(VaultEntry) error) error
	// Restore puts messages from the vault back.
	Restore(ctx context.Context, address string, r RestoreRequest) (RestoreResult, error)
	// SetHold sets or ends the account's legal hold.
	SetHold(ctx context.Context, address string, on bool) error
	// Check yields what does not fit together in the store, or in one account for a non-empty address.
	Check(ctx context.Context, address string, yield func(Problem) error) error
	// Repair mends what can be mended and yields what there was.
	Repair(ctx context.Context, r RepairRequest, yield func(Mended) error) error
	// Compact gets back the room of messages that nothing refers to.
	Compact(ctx context.Context) (Compaction, error)
}

// Description is an account with what concerns its mail.
type Description struct {
	Account
	Hold bool `json:"hold,omitempty"` // nothing of it is removed for good
}

// States of imported messages.
const (
	Stored  = "stored"
	Known   = "known"   // it was imported before; it may have been removed since
	Present = "present" // the mailbox has it
	Refused = "refused"
)

// Imported is what became of a message.
type Imported struct {
	Mailbox     string `json:"mailbox"`
	State       string `json:"state"`
	UIDValidity uint32 `json:"uidValidity,omitempty"` // if it was stored
	UID         uint32 `json:"uid,omitempty"`
	Error       string `json:"error,omitempty"` // why it was refused
}

// Refusal is a mailbox, or something of it, that cannot be made.
type Refusal struct {
	Mailbox string `json:"mailbox"`
	Error   string `json:"error"`
}

// ImportResult has an outcome for each message, in their order.
type ImportResult struct {
	Messages []Imported `json:"messages"`
	Refused  []Refusal  `json:"refused,omitempty"`
}

// Digest is what can be compared of a message.
type Digest struct {
	UID         uint32    `json:"uid"`
	UIDValidity uint32    `json:"uidValidity"`
	Size        int64     `json:"size"`
	SHA256      string    `json:"sha256,omitempty"` // hexadecimal
	Flags       []string  `json:"flags,omitempty"`
	Date        time.Time `json:"date"`            // internal date
	Error       string    `json:"error,omitempty"` // why the bytes cannot be read
}

// VaultEntry is an expunged message.
type VaultEntry struct {
	ID      int64     `json:"id"`
	Mailbox string    `json:"mailbox"`
	Removed time.Time `json:"removed"`
	Date    time.Time `json:"date"` // internal date
	Size    int64     `json:"size"`
	From    string    `json:"from,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Flags   []string  `json:"flags,omitempty"`
}

// RestoreRequest chooses entries of the vault, by their ids or by the time of their removal.
type RestoreRequest struct {
	IDs     []int64    `json:"ids,omitempty"`
	Since   *time.Time `json:"since,omitempty"`
	Mailbox string     `json:"mailbox,omitempty"` // empty: where each was
}

// RestoreResult counts.
type RestoreResult struct {
	Restored int     `json:"restored"`
	Missing  []int64 `json:"missing,omitempty"` // ids that are not in the vault
}

// NewSocketServer is an HTTP server for the unix socket, which offers everything.
func NewSocketServer(b Backend, m Mailboxes, log *slog.Logger) *http.Server {
	s := NewServer(b, log)
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler)
	addMailboxes(mux, &mailboxServer{server{b, log}, m})
	s.Handler = mux
	return s
}
