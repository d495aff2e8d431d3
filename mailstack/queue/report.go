package queue

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store"
)

// dateLayout is the date-time of RFC 5322, 3.3.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 -0700"

// maxReturnedHeader bounds what a report returns of the original, in bytes.
const maxReturnedHeader = 64 << 10

// report is a delivery status notification (RFC 3464) for one recipient.
type report struct {
	hostname string
	item     store.QueueItem
	failure  *failure
	original []byte // nil if it cannot be read
	now      time.Time
}

// message is the notification: a text for people, the status for programs, and the header of the original.
func (r *report) message() []byte {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	boundary := "report-" + hex.EncodeToString(id[:8])
	header, _ := mime.Split(r.original)
	header = header[:min(len(header), maxReturnedHeader)]

	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("Return-Path: <>")
	line("Date: %s", r.now.Format(dateLayout))
	line("From: Mail Delivery System <mailer-daemon@%s>", r.hostname)
	line("To: <%s>", r.item.Sender)
	line("Subject: Undelivered mail / Message non remis")
	line("Message-ID: <%s@%s>", hex.EncodeToString(id[:]), r.hostname)
	if original := mime.Get(header, "Message-ID"); original != "" && len(original) < 250 {
		line("In-Reply-To: %s", clean(original))
		line("References: %s", clean(original))
	}
	line("Auto-Submitted: auto-replied") // RFC 3834
	line("MIME-Version: 1.0")
	line("Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"", boundary)
	line("")
	line("--%s", boundary)
	line("Content-Type: text/plain; charset=utf-8")
	line("Content-Transfer-Encoding: quoted-printable")
	line("")
	text := quotedprintable.NewWriter(&b)
	_, _ = text.Write([]byte(r.text())) // a buffer takes everything
	_ = text.Close()
	line("")
	line("--%s", boundary)
	line("Content-Type: message/delivery-status")
	line("")
	r.status(line)
	line("")
	line("--%s", boundary)
	line("Content-Type: text/rfc822-headers")
	line("Content-Transfer-Encoding: 8bit")
	line("")
	b.Write(bytes.TrimRight(mime.CRLF(header), "\r\n"))
	line("")
	line("")
	line("--%s--", boundary)
	return b.Bytes()
}

func (r *report) text() string {
	lines := []string{
		"Votre message n'a pas pu être remis à " + r.item.Recipient + ".",
		"Your message could not be delivered to " + r.item.Recipient + ".",
		"",
		"    " + clean(r.failure.String()),
		"",
	}
	if !r.failure.permanent {
		tried := r.now.Sub(r.item.Created).Round(time.Hour)
		lines = append(lines,
			fmt.Sprintf("Il a été essayé pendant %.0f heures, sans succès ; il ne le sera plus.", tried.Hours()),
			fmt.Sprintf("It was tried for %.0f hours without success and will not be tried again.", tried.Hours()), "")
	}
	return strings.Join(lines, "\r\n")
}

// status is the machine-readable part (RFC 3464, 2.2 and 2.3).
func (r *report) status(line func(string, ...any)) {
	status := r.failure.status
	if !r.failure.permanent {
		status = "4.4.7" // delivery time expired (RFC 3463, 3.5)
	}
	line("Reporting-MTA: dns; %s", r.hostname)
	line("Arrival-Date: %s", r.item.Created.Format(dateLayout))
	line("")
	line("Final-Recipient: rfc822; %s", clean(r.item.Recipient))
	line("Action: failed")
	line("Status: %s", status)
	if r.failure.remote != "" {
		host, _, _ := strings.Cut(r.failure.remote, ":")
		line("Remote-MTA: dns; %s", clean(host))
	}
	line("Diagnostic-Code: smtp; %s", clean(r.failure.reply))
	line("Last-Attempt-Date: %s", r.now.Format(dateLayout))
}

// clean keeps what another server said on one line of printable ASCII.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f {
			return ' '
		}
		return c
	}, s)
	return s[:min(len(s), 500)]
}
