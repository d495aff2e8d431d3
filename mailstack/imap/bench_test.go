package imap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gouv.tg/messagerie/mailstack/store"
)

// large returns a client of an account whose INBOX has so many messages, and the mailbox.
func large(b *testing.B, messages int) (*bed, store.Mailbox) {
	st, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	bed := newBedOf(b, st, Options{MaxMessageBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)}, 0)
	b.Cleanup(func() { bed.server.Close() })
	box, err := st.Mailbox(b.Context(), bed.account(owner).ID, "INBOX")
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < messages; {
		var batch []store.NewMessage
		for ; n < messages && len(batch) < 1000; n++ {
			raw := fmt.Appendf(nil, "From: a%d@b.tg\r\nTo: c@d.tg\r\nSubject: number %d\r\nDate: Mon, 02 Nov 2026 09:00:00 +0000\r\nMessage-ID: <%d@b.tg>\r\n\r\n%s",
				n%100, n, n, strings.Repeat("Le budget de l'agence est en cours de validation.\r\n", 20))
			batch = append(batch, store.NewMessage{Raw: raw, Date: time.Unix(1.7e9, 0)})
		}
		if _, err := st.AppendAll(context.Background(), box.ID, batch, nil); err != nil {
			b.Fatal(err)
		}
	}
	return bed, box
}

// run sends a command and reads to its end.
func (c *text) run(command string) {
	tag := c.send(command)
	for {
		line, err := c.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			c.t.Fatal(err)
		}
		if bytes.HasPrefix(line, []byte(tag+" ")) {
			if !bytes.HasPrefix(line[len(tag):], []byte(" OK")) {
				c.t.Fatal(string(line))
			}
			return
		}
	}
}

// BenchmarkLarge measures commands on a mailbox of 200,000 messages.
//
//	go test -run=- -bench=Large -benchtime=20x ./mailstack/imap
func BenchmarkLarge(b *testing.B) {
	bed, box := large(b, 200_000)
	box, _ = bed.store.MailboxByID(b.Context(), box.ID)
	qresync := fmt.Sprintf("SELECT INBOX (QRESYNC (%d %d))", box.UIDValidity, box.HighestModSeq-50)
	b.Run("select-cold", func(b *testing.B) {
		for b.Loop() {
			bed.server.Close()
			bed.server = New(bed.store, bed.server.options)
			c := bed.text("ENABLE QRESYNC")
			c.run(qresync)
		}
	})
	c := bed.text("ENABLE QRESYNC")
	c.run("SELECT INBOX")
	for _, command := range []string{
		qresync, "NOOP", "FETCH 1:* (FLAGS)", "UID FETCH 100000:101000 (ENVELOPE)", "UID FETCH 1000:2000 (BODY.PEEK[])", "UID SEARCH UNSEEN", "UID SEARCH FROM a7@",
		`UID STORE 5000:5999 +FLAGS.SILENT (\Seen)`, `UID STORE 5000:5999 -FLAGS.SILENT (\Seen)`,
	} {
		b.Run(strings.ReplaceAll(command, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				c.run(command)
			}
		})
	}
}
