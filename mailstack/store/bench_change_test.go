package store

import (
	"context"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// BenchmarkMany measures what is done to 1,000 messages at once.
func BenchmarkMany(b *testing.B) {
	const n = 1000
	ctx := context.Background()
	seen := FlagChange{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}
	for _, bench := range []struct {
		name  string
		apart imap.UID
		do    func(s *Store, from, to Mailbox, uids []imap.UID) error
	}{
		{"flags", 1, func(s *Store, from, _ Mailbox, uids []imap.UID) error { return setFlags(s, from.ID, uids, seen) }},
		{"flags-of-known", 1, func(s *Store, from, _ Mailbox, _ []imap.UID) error {
			b.StopTimer()
			box, entries, err := s.Index(ctx, from.ID)
			if err != nil {
				return err
			}
			var known []Known
			for i, e := range entries[len(entries)-n:] {
				known = append(known, Known{e, uint32(i)})
			}
			b.StartTimer()
			_, _, err = s.SetFlagsOfKnown(ctx, from.ID, known, box.HighestModSeq, seen, nil)
			return err
		}},
		{"flags-every-second", 2, func(s *Store, from, _ Mailbox, uids []imap.UID) error { return setFlags(s, from.ID, uids, seen) }},
		{"move", 1, func(s *Store, from, to Mailbox, uids []imap.UID) error {
			_, _, _, err := s.Move(ctx, from.ID, uids, to.ID, AllRights, nil)
			return err
		}},
		{"expunge", 1, func(s *Store, from, _ Mailbox, uids []imap.UID) error {
			_, err := s.Expunge(ctx, from.ID, uids, nil)
			return err
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s, err := Open(ctx, Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			a := makeAccounts(b, s, 1, 0)[0]
			inbox, trash := mailbox(b, s, a, "INBOX"), mailbox(b, s, a, "Trash")
			list := make([]NewMessage, n*bench.apart)
			for i := range list {
				list[i] = NewMessage{Raw: []byte("Subject: x\r\n\r\nx\r\n"), Flags: []imap.Flag{imap.FlagDeleted}}
			}
			for b.Loop() {
				b.StopTimer()
				placed, err := s.AppendAll(ctx, inbox.ID, list, nil)
				if err != nil {
					b.Fatal(err)
				}
				var uids []imap.UID
				for i := 0; i < len(placed); i += int(bench.apart) {
					uids = append(uids, placed[i].UID)
				}
				b.StartTimer()
				if err := bench.do(s, inbox, trash, uids); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
