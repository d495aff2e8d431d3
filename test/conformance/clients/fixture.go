package clients

import (
	"fmt"
	"strings"
	"time"
)

// names are those of the mailboxes that A is filled with: nested, accented, and with marks that clients mistake.
var names = []string{
	"INBOX", "work", "work/2024", "work/2024/q1", "work/2025", "&AMk-l&AOg-ves", "&ZeVnLIqe-", "&ZeVnLIqe-/&AOk-t&AOk-", "with space",
	"R&-D", "dash-and_underscore", "(brackets) [and] 'quotes'", "upper", "UPPER case",
}

// messages are the texts: what is usual, and what breaks clients and servers that parse too much.
var texts = []string{
	"From: afi@example.org\nTo: kofi@example.org\nSubject: plain\nMessage-ID: <%d@example.org>\nDate: Wed, 4 Mar 2020 10:11:12 +0100\n\nplain text\n",
	"From: =?utf-8?Q?=C3=89lise?= <elise@example.org>\nSubject: =?utf-8?B?csOpdW5pb24=?=\nMessage-ID: <%d@example.org>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nà bientôt, cœur\n",
	"From: a@example.org\nSubject: multipart\nMessage-ID: <%d@example.org>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b\"\n\npreamble\n--b\nContent-Type: text/plain\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner\n--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAECAwQF\n--b--\nepilogue\n",
	"Message-ID: <%d@example.org>\nSubject: no text\n\n",
	"Message-ID: <%d@example.org>\nSubject: dots and From\n\n.\n..\nFrom here on\n>From there\n\n\n\n",
	"Message-ID: <%d@example.org>\nSubject: a folded\n subject with\n\ttabs\nX-Other: value\nReceived: one\nReceived: two\n\nbody\n",
	"Message-ID: <%d@example.org>\nSubject: a long line\n\n" + strings.Repeat("long ", 500) + "\nend\n",
}

// flagSets are given to messages in turn.
var flagSets = []string{
	``, `\Seen`, `\Flagged`, `\Seen \Answered`, `\Draft`, `\Seen \Flagged \Answered \Draft`, `\Seen keyword`,
	`$Forwarded \Seen`, `NonJunk $Label1`,
}

// fill puts count messages into each mailbox; serial makes them differ.
func (a *account) fill(serial *int, boxes []string, count int) error {
	for _, name := range boxes {
		if name != "INBOX" {
			if _, err := a.do("CREATE " + quote(name)); err != nil {
				return err
			}
			if _, err := a.do("SUBSCRIBE " + quote(name)); err != nil {
				return err
			}
		}
		if err := a.append(serial, name, count); err != nil {
			return err
		}
	}
	return nil
}

func (a *account) append(serial *int, name string, count int) error {
	for range count {
		*serial++
		n := *serial
		text := strings.ReplaceAll(fmt.Sprintf(texts[n%len(texts)], n), "\n", "\r\n")
		date := time.Date(2001+n%20, time.Month(1+n%12), 1+n%28, n%24, n%60, 7, 0, time.FixedZone("", (n%5-2)*3600))
		line := fmt.Sprintf(`APPEND %s (%s) "%s" {%d}`, quote(name), flagSets[n%len(flagSets)],
			date.Format("_2-Jan-2006 15:04:05 -0700"), len(text))
		if _, err := a.do(line, text); err != nil {
			return err
		}
	}
	return nil
}

// change does to a mailbox what a day does: flags come and go, messages go and arrive. The messages it touches are
// chosen by turn, so that two accounts may be changed at once in different places.
func (a *account) change(serial *int, name string, turn int) error {
	for _, line := range []string{
		"SELECT " + quote(name),
		fmt.Sprintf(`STORE %d +FLAGS (\Flagged)`, 1+turn),
		fmt.Sprintf(`STORE %d -FLAGS (\Seen)`, 3+turn),
		fmt.Sprintf(`STORE %d FLAGS (\Answered \Seen)`, 5+turn),
		fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, 7+turn),
		"EXPUNGE",
		"CLOSE",
	} {
		if _, err := a.do(line); err != nil {
			return err
		}
	}
	return a.append(serial, name, 2)
}
