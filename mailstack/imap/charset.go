package imap

import (
	"io"
	"strings"

	"github.com/emersion/go-message/charset"

	"gouv.tg/messagerie/mailstack/imap/syntax"
)

// decodeKeys turns the texts of search keys into UTF-8 (RFC 9051, 6.4.4).
func decodeKeys(key syntax.SearchKey, name string) (syntax.SearchKey, error) {
	if name == "" || name == "UTF-8" || name == "US-ASCII" {
		return key, nil
	}
	if _, err := charset.Reader(name, strings.NewReader("")); err != nil {
		return nil, no(codeBadCharset, "This character set is not known")
	}
	return syntax.MapText(key, func(text string) (string, error) {
		r, err := charset.Reader(name, strings.NewReader(text))
		if err != nil {
			return "", err
		}
		decoded, err := io.ReadAll(r)
		return string(decoded), err
	})
}
