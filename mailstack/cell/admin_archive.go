package cell

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/archive"
	"gouv.tg/messagerie/mailstack/store"
)

// annotated are the names below which all annotations of RFC 5464 lie.
var annotated = []string{"/private", "/shared"}

// Export implements admin.Mailboxes. Each mailbox is as it was at one moment. Rights of others are left out.
func (m *mailboxes) Export(ctx context.Context, address, mailbox string, w archive.Writer) error {
	a, err := m.account(ctx, address)
	if err != nil {
		return err
	}
	all, err := m.store.Mailboxes(ctx, a.ID)
	if err != nil {
		return err
	}
	chosen := all
	if mailbox != "" {
		chosen = nil
		top, err := m.mailbox(ctx, address, mailbox)
		if err != nil {
			return err
		}
		for _, box := range all {
			if box.ID == top.ID || strings.HasPrefix(box.Name, top.Name+"/") {
				chosen = append(chosen, box)
			}
		}
	}
	e := exporter{m: m, account: a, w: w}
	if err := e.header(ctx, chosen, len(chosen) == len(all)); err != nil {
		return err
	}
	for _, box := range chosen {
		if err := e.mailbox(ctx, box); err != nil {
			return err
		}
	}
	m.log.Info("mailboxes exported", "address", address, "mailboxes", e.total.Mailboxes, "messages", e.total.Messages, "lost", e.total.Lost)
	return w.Write(&e.total)
}

type exporter struct {
	m       *mailboxes
	account store.Account
	w       archive.Writer
	total   archive.Summary
	buf     []byte
}

// header has what belongs to the account: of subscriptions, those of the mailboxes unless all are wanted.
func (e *exporter) header(ctx context.Context, chosen []store.Mailbox, whole bool) error {
	h := &archive.Header{Address: e.account.Address, Made: time.Now().UTC().Truncate(time.Second)}
	names, err := e.m.store.Subscriptions(ctx, e.account.ID)
	if err != nil {
		return err
	}
	if whole {
		h.Subscriptions = names
		h.Annotations, err = e.annotations(ctx, 0, annotated[:1]) // shared ones are the cell's
	} else {
		for _, box := range chosen {
			if box.Subscribed {
				h.Subscriptions = append(h.Subscriptions, box.Name)
			}
		}
	}
	if err != nil {
		return err
	}
	return e.w.Write(h)
}

func (e *exporter) annotations(ctx context.Context, box store.MailboxID, names []string) ([]archive.Annotation, error) {
	list, err := e.m.store.Metadata(ctx, e.account.ID, box, names, store.DepthInfinity)
	var out []archive.Annotation
	for _, a := range list {
		out = append(out, archive.Annotation{Name: a.Name, Value: a.Value})
	}
	return out, err
}

func (e *exporter) write(i archive.Item) error {
	e.total.Add(i)
	return e.w.Write(i)
}

func (e *exporter) mailbox(ctx context.Context, box store.Mailbox) error {
	box, entries, err := e.m.store.Index(ctx, box.ID)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	notes, err := e.annotations(ctx, box.ID, annotated)
	if err != nil && !errors.Is(err, store.ErrNoMailbox) {
		return err
	}
	if err := e.write(&archive.Mailbox{Name: box.Name, SpecialUse: box.SpecialUse, Annotations: notes}); err != nil {
		return err
	}
	for i := range entries {
		if err := e.message(ctx, box.Name, &entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// message writes a message, unless it was expunged meanwhile.
func (e *exporter) message(ctx context.Context, mailbox string, entry *store.Entry) error {
	raw, err := e.m.store.ReadContentInto(ctx, entry.Content, e.buf)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, store.ErrNoMessage):
		return nil
	case err != nil:
		return e.write(&archive.Lost{Mailbox: mailbox, Where: fmt.Sprintf("uid %d", entry.UID), What: err.Error()})
	}
	e.buf = raw
	return e.write(&archive.Message{
		Mailbox: mailbox, Flags: entry.Flags.List(), Date: entry.Date.Time(), Saved: time.UnixMilli(entry.SaveDate), Raw: raw,
	})
}

// Import implements admin.Mailboxes.
func (m *mailboxes) Import(ctx context.Context, address string, items []archive.Item) (admin.ImportResult, error) {
	var result admin.ImportResult
	a, err := m.account(ctx, address)
	if err != nil {
		return result, err
	}
	var messages []store.ImportMessage
	for _, i := range items {
		var err error
		name := ""
		switch i := i.(type) {
		case *archive.Header:
			err = m.importHeader(ctx, a.ID, i)
		case *archive.Mailbox:
			name, err = i.Name, m.importMailbox(ctx, a.ID, i)
		case *archive.Message:
			messages = append(messages, importMessage(i))
		}
		if refusal(err) {
			result.Refused, err = append(result.Refused, admin.Refusal{Mailbox: name, Error: err.Error()}), nil
		}
		if err != nil {
			return result, err
		}
	}
	if len(messages) == 0 {
		return result, nil
	}
	outcome, err := m.store.Import(ctx, a.ID, messages, nil)
	if refusal(err) {
		return result, &callersError{err.Error()}
	}
	if err != nil {
		return result, err
	}
	for i, o := range outcome {
		result.Messages = append(result.Messages, imported(messages[i].Mailbox, o))
	}
	m.log.Info("messages imported", "address", address, "messages", len(messages))
	return result, nil
}

// refusal tells whether an error is about what was to be imported.
func refusal(err error) bool {
	for _, e := range []error{
		store.ErrMailboxName, store.ErrTooManyBoxes, store.ErrMetadataName, store.ErrMetadataTooLarge, store.ErrMetadataTooMany,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (m *mailboxes) importHeader(ctx context.Context, a store.AccountID, h *archive.Header) error {
	for _, name := range h.Subscriptions {
		if err := m.store.SetSubscription(ctx, a, name, true, nil); err != nil {
			return err
		}
	}
	return m.annotate(ctx, a, 0, h.Annotations)
}

// importMailbox makes a mailbox that does not exist. One that exists keeps its special use.
func (m *mailboxes) importMailbox(ctx context.Context, a store.AccountID, i *archive.Mailbox) error {
	box, err := m.store.Mailbox(ctx, a, i.Name)
	if errors.Is(err, store.ErrNoMailbox) {
		if box, err = m.store.CreateMailbox(ctx, a, i.Name, i.SpecialUse, nil); errors.Is(err, store.ErrMailboxExists) {
			box, err = m.store.Mailbox(ctx, a, i.Name)
		}
	}
	if err != nil {
		return err
	}
	return m.annotate(ctx, a, box.ID, i.Annotations)
}

func (m *mailboxes) annotate(ctx context.Context, a store.AccountID, box store.MailboxID, list []archive.Annotation) error {
	var entries []store.MetadataEntry
	for _, n := range list {
		if box == 0 && !strings.HasPrefix(n.Name, "/private/") {
			continue // shared ones are the cell's
		}
		if n.Value == nil {
			n.Value = []byte{}
		}
		entries = append(entries, store.MetadataEntry{Name: n.Name, Value: n.Value})
	}
	if len(entries) == 0 {
		return nil
	}
	return m.store.SetMetadata(ctx, a, box, entries, nil)
}

// importMessage gives a message without an ID one of what it is: so nothing is imported twice.
func importMessage(i *archive.Message) store.ImportMessage {
	m := store.ImportMessage{
		ID: i.ID, Mailbox: i.Mailbox, Raw: i.Raw, Flags: i.Flags, Date: i.Date, Saved: i.Saved,
	}
	if m.ID == "" {
		m.ID, m.Ordinal = contentID(i), max(1, i.Ordinal)
	}
	return m
}

// contentID is a hash of mailbox, date, bytes and ordinal.
func contentID(i *archive.Message) string {
	h := sha256.New()
	numbers := binary.BigEndian.AppendUint64(nil, uint64(i.Date.UnixMilli()))
	numbers = binary.BigEndian.AppendUint64(numbers, uint64(max(1, i.Ordinal)))
	numbers = binary.BigEndian.AppendUint64(numbers, uint64(len(i.Mailbox)))
	h.Write(numbers)
	h.Write([]byte(i.Mailbox))
	h.Write(i.Raw)
	return "import:" + hex.EncodeToString(h.Sum(nil))
}

func imported(mailbox string, o store.Imported) admin.Imported {
	i := admin.Imported{Mailbox: mailbox}
	switch o.State {
	case store.ImportStored:
		i.State, i.UIDValidity, i.UID = admin.Stored, o.UIDValidity, uint32(o.UID)
	case store.ImportKnown:
		i.State = admin.Known
	case store.ImportPresent:
		i.State = admin.Present
	case store.ImportRefused:
		i.State, i.Error = admin.Refused, o.Err.Error()
	}
	return i
}
