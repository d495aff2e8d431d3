package pull

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"gouv.tg/messagerie/mailstack/mime"
)

// Fields of headers that evidence is taken from.
var (
	sentFields     = []string{"From"}
	envelopeFields = []string{"Delivered-To", "X-Original-To", "Envelope-To"}
	inboxFields    = append(slices.Clone(envelopeFields), "To", "Cc")
)

// sample counts whom messages name, by the first of the kinds of fields that they have.
func (b book) sample(headers [][]byte, address string, kinds ...[]string) Sample {
	s := Sample{Messages: len(headers)}
	others := make(map[string]int)
	for _, h := range headers {
		named, kind := names(h, kinds)
		if len(kinds) > 1 && kind == 0 {
			s.Envelope++
		}
		if slices.ContainsFunc(named, func(id string) bool { return b.ours(id, address) }) {
			s.Ours++
			continue
		}
		for _, id := range named {
			others[id]++
		}
	}
	for id, n := range others {
		if n > s.Others || n == s.Others && id < s.Other {
			s.Other, s.Others = id, n
		}
	}
	return s
}

// names returns the addresses in the fields of a header, each once, and which kind they are of.
func names(header []byte, kinds [][]string) ([]string, int) {
	for kind, fields := range kinds {
		var list []string
		for f := range mime.Fields(header) {
			if slices.ContainsFunc(fields, f.Is) {
				list = append(list, addresses(f.Value())...)
			}
		}
		if len(list) > 0 {
			slices.Sort(list)
			return slices.Compact(list), kind
		}
	}
	return nil, -1
}

var looksLikeAddress = regexp.MustCompile(`[^\s<>,;:"()]+@[^\s<>,;:"()]+`)

const maxAddresses = 200 // of a field

// addresses are the addresses of a field in lower case.
func addresses(value string) []string {
	var out []string
	if list, err := mail.ParseAddressList(value); err == nil {
		for _, a := range list {
			out = append(out, strings.ToLower(a.Address))
		}
	} else {
		out = looksLikeAddress.FindAllString(strings.ToLower(value), maxAddresses)
	}
	return out[:min(len(out), maxAddresses)]
}
