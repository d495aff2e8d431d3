// Package directory holds what gateway, cells and operator must agree on about accounts: the form of addresses, password
// hashes and the CSV file of accounts.
package directory

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of an address in bytes (RFC 5321, 4.5.3.1).
const (
	maxLocal   = 64
	maxDomain  = 253
	maxAddress = 254
)

var errNotAddress = errors.New("accepted is local@domain in ASCII, such as prenom.nom@gouv.tg")

// NormalizeAddress checks an address that this system is to hold and returns it in lower case. The local part is
// a dot-string (RFC 5321, 4.1.2): agents have no use for quoted ones. The error says what is accepted.
func NormalizeAddress(s string) (string, error) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > maxAddress || !isDotString(local) {
		return "", fmt.Errorf("found %q; %w", clip(s), errNotAddress)
	}
	d, err := NormalizeDomain(domain)
	if err != nil {
		return "", fmt.Errorf("found %q; %w", clip(s), errNotAddress)
	}
	return lower(local) + "@" + d, nil
}

// NormalizeDomain checks a domain name of at least two labels and returns it in lower case.
func NormalizeDomain(s string) (string, error) {
	bad := len(s) > maxDomain || !strings.Contains(s, ".")
	for label := range strings.SplitSeq(s, ".") {
		bad = bad || !isLabel(label)
	}
	if bad {
		return "", fmt.Errorf("found %q; accepted is a domain name such as finances.gouv.tg", clip(s))
	}
	return lower(s), nil
}

// SplitAddress cuts an address at its last @. ok is false when there is none or a side is empty.
func SplitAddress(s string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(s, '@')
	if i <= 0 || i == len(s)-1 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// DomainOf is the part after the last @, or "".
func DomainOf(address string) string {
	_, domain, _ := SplitAddress(address)
	return domain
}

// lower folds ASCII only: no other character passes the checks.
func lower(s string) string { return strings.ToLower(s) }

func isDotString(s string) bool {
	if s == "" || len(s) > maxLocal || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if !isAtext(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

func isAtext(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// clip keeps error texts short.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
