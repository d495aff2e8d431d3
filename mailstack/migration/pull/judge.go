package pull

import "strings"

// book knows who else there is.
type book struct {
	addresses map[string]bool   // of rows
	locals    map[string]string // local parts of rows' addresses, and the address; "" where several have it
	held      func(address string) bool
}

func newBook(rows []Row, locate func(string) Cell) book {
	b := book{
		addresses: make(map[string]bool, len(rows)), locals: make(map[string]string, len(rows)),
		held: func(address string) bool { return locate(address) != nil },
	}
	for i := range rows {
		address := rows[i].Address
		b.addresses[address] = true
		local := localPart(address)
		if _, ok := b.locals[local]; ok {
			b.locals[local] = ""
		} else {
			b.locals[local] = address
		}
	}
	return b
}

func localPart(address string) string {
	local, _, _ := strings.Cut(address, "@")
	local, _, _ = strings.Cut(local, "+")
	return local
}

// theirs is the address here, another one, whose an identity is: an address or a login in lower case. Empty: none is known.
func (b book) theirs(identity, address string) string {
	switch other := b.locals[localPart(identity)]; {
	case identity == address:
	case strings.Contains(identity, "@") && (b.addresses[identity] || b.held(identity)):
		return identity
	case other != address:
		return other
	}
	return ""
}

// ours tells whether an identity is that of an address: equal, or equal up to the domain and nobody else's. A local part that
// several rows have tells nothing.
func (b book) ours(identity, address string) bool {
	local := localPart(identity)
	return identity == address || local == localPart(address) && b.locals[local] == address && b.theirs(identity, address) == ""
}

// judge decides on a row.
func (b book) judge(e *Evidence) {
	var against, inFavour []string
	login := strings.ToLower(e.User)
	if theirs := b.theirs(login, e.Address); theirs != "" {
		against = append(against, "the login is that of "+theirs)
	} else if login == e.Address {
		inFavour = append(inFavour, "the login is the address")
	} else if b.ours(login, e.Address) {
		inFavour = append(inFavour, "the login is the local part")
	}
	switch s := e.Sent; {
	case s.Messages == 0:
	case 2*s.Ours >= s.Messages:
		inFavour = append(inFavour, "it sends as the address")
	case 2*s.Others >= s.Messages:
		against = append(against, "it sends as "+s.Other)
	}
	switch s := e.Inbox; {
	case s.Messages == 0:
	case 2*s.Ours >= s.Messages:
		inFavour = append(inFavour, "it receives for the address")
	case 2*s.Others < s.Messages:
	case 2*s.Envelope >= s.Messages, s.Ours == 0 && s.Messages >= 3:
		// What writers put into To and Cc may be lists; who the mail was delivered to is not.
		against = append(against, "it receives for "+s.Other)
	}
	switch {
	case len(against) > 0:
		e.Verdict, e.Reasons = Contradicts, against
	case len(inFavour) > 0:
		e.Verdict, e.Reasons = Agrees, inFavour
	default:
		e.Verdict, e.Reasons = Unclear, []string{"neither the login nor the mail names the address"}
	}
}
