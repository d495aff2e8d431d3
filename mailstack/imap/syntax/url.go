package syntax

import (
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// MessageURL is the URL of a message or of a part of it, relative to the server (RFC 5092, section 7; RFC 4469, section 3).
type MessageURL struct {
	Mailbox     string // decoded to UTF-8
	UIDValidity uint32 // 0 if there is none
	UID         uint32
	Section     *Section             // nil for the whole message
	Partial     *imap.SectionPartial // nil for all of it; a size of 0 means to the end
}

// ErrURL reports a URL that names no message of this server: the answer is NO [BADURL].
var ErrURL = errors.New("URL is malformed; accepted is such as /mailbox;UIDVALIDITY=1/;UID=2/;SECTION=1.2/;PARTIAL=0.100")

// ParseMessageURL parses "/mailbox[;UIDVALIDITY=n]/;UID=n[/;SECTION=s][/;PARTIAL=o[.n]]". The slashes before SECTION and
// PARTIAL may be missing, as in older URLs (RFC 2192).
func ParseMessageURL(s string) (MessageURL, error) {
	var u MessageURL
	rest, ok := strings.CutPrefix(s, "/")
	if !ok {
		return u, ErrURL
	}
	mailbox, rest, ok := cutFold(rest, "/;UID=")
	if !ok {
		return u, ErrURL
	}
	mailbox, validity, given := cutFold(mailbox, ";UIDVALIDITY=")
	if given {
		if u.UIDValidity, ok = urlNumber(validity); !ok {
			return u, ErrURL
		}
	}
	if u.Mailbox, ok = unescape(mailbox); !ok || u.Mailbox == "" {
		return u, ErrURL
	}
	u.Mailbox = wire.Inbox(u.Mailbox)
	rest, partial, given := cutFold(rest, ";PARTIAL=")
	if given {
		if u.Partial, ok = urlPartial(partial); !ok {
			return u, ErrURL
		}
	}
	uid, section, given := cutFold(rest, ";SECTION=")
	if given {
		if u.Section, ok = urlSection(strings.TrimSuffix(section, "/")); !ok {
			return u, ErrURL
		}
	}
	if u.UID, ok = urlNumber(strings.TrimSuffix(uid, "/")); !ok {
		return u, ErrURL
	}
	return u, nil
}

// cutFold is strings.Cut at a separator whose letters are of either case.
func cutFold(s, separator string) (before, after string, found bool) {
	for i := 0; i+len(separator) <= len(s); i++ {
		if s[i] == separator[0] && strings.EqualFold(s[i:i+len(separator)], separator) {
			return s[:i], s[i+len(separator):], true
		}
	}
	return s, "", false
}

func unescape(s string) (string, bool) {
	decoded, err := url.PathUnescape(s)
	return decoded, err == nil && utf8.ValidString(decoded)
}

// urlNumber parses a number that is not zero.
func urlNumber(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n > 0 && s[0] != '+'
}

// urlPartial parses "offset[.length]".
func urlPartial(s string) (*imap.SectionPartial, bool) {
	first, length, ranged := strings.Cut(s, ".")
	offset, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return nil, false
	}
	p := &imap.SectionPartial{Offset: int64(offset)}
	if ranged {
		n, err := strconv.ParseUint(length, 10, 63)
		if err != nil || n == 0 || n > math.MaxInt64-offset {
			return nil, false
		}
		p.Size = int64(n)
	}
	return p, true
}

// urlSection parses a section specification without brackets.
func urlSection(s string) (*Section, bool) {
	s, ok := unescape(s)
	if !ok || strings.ContainsAny(s, "\r\n{") {
		return nil, false
	}
	r := wire.NewReader(strings.NewReader("0 "+s+"]\r\n"), wire.Limits{}, nil)
	if _, err := r.Tag(); err != nil {
		return nil, false
	}
	defer r.Release()
	if r.SP() != nil {
		return nil, false
	}
	section, err := sectionSpec(r)
	return section, err == nil && r.CRLF() == nil
}
