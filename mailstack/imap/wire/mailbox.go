package wire

import (
	"strings"
	"unicode/utf8"
)

// Delimiter separates the levels of a mailbox's name.
const Delimiter = '/'

// Mailbox takes the name of a mailbox and returns it as UTF-8, INBOX in capitals if that is its first level
// (RFC 9051, section 5.1).
func (r *Reader) Mailbox() (string, error) {
	name, err := r.AString()
	if err != nil {
		return "", err
	}
	return r.mailbox(name)
}

// ListMailbox takes a pattern of LIST, in which "%" and "*" are accepted without quotes, and returns it as UTF-8.
func (r *Reader) ListMailbox() (string, error) {
	b := r.take(classList)
	pattern := string(b)
	if len(b) == 0 {
		var err error
		if pattern, err = r.String(); err != nil {
			return "", err
		}
	}
	return r.mailbox(pattern)
}

func (r *Reader) mailbox(name string) (string, error) {
	if r.UTF8 {
		if !utf8.ValidString(name) {
			return "", Bad("name of mailbox is not UTF-8")
		}
		return Inbox(name), nil
	}
	decoded, ok := DecodeUTF7(name)
	if !ok {
		return "", Bad("name of mailbox is not modified UTF-7")
	}
	return Inbox(decoded), nil
}

const inbox = "INBOX"

// Inbox returns name with INBOX in capitals if that is its first level, however it is written (RFC 9051, section 5.1).
func Inbox(name string) string {
	if len(name) < len(inbox) || !strings.EqualFold(name[:len(inbox)], inbox) || name[:len(inbox)] == inbox {
		return name
	}
	if len(name) > len(inbox) && name[len(inbox)] != Delimiter {
		return name
	}
	return inbox + name[len(inbox):]
}
