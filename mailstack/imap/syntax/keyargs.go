package syntax

import (
	"strings"

	"gouv.tg/messagerie/mailstack/imap/wire"
)

// keyParser takes the arguments of a search key after its name and a space.
type keyParser func(r *wire.Reader) (SearchKey, error)

// keyParsers are search keys with arguments. It is set by init because keys are within each other.
var keyParsers map[string]keyParser

func init() {
	keyParsers = map[string]keyParser{
		"NOT": func(r *wire.Reader) (SearchKey, error) {
			key, err := operand(r)
			return Not{key}, err
		},
		"FUZZY": func(r *wire.Reader) (SearchKey, error) {
			key, err := operand(r)
			return Fuzzy{key}, err
		},
		"OR":      either,
		"UID":     uidKey,
		"KEYWORD": keywordKey,
		"UNKEYWORD": func(r *wire.Reader) (SearchKey, error) {
			key, err := keywordKey(r)
			return Not{key}, err
		},

		"BEFORE":      dateKey(InternalDate, Before),
		"ON":          dateKey(InternalDate, On),
		"SINCE":       dateKey(InternalDate, Since),
		"SENTBEFORE":  dateKey(SentDate, Before),
		"SENTON":      dateKey(SentDate, On),
		"SENTSINCE":   dateKey(SentDate, Since),
		"SAVEDBEFORE": dateKey(SavedDate, Before),
		"SAVEDON":     dateKey(SavedDate, On),
		"SAVEDSINCE":  dateKey(SavedDate, Since),

		"OLDER":   ageKey(true),
		"YOUNGER": ageKey(false),
		"LARGER":  sizeKey(true),
		"SMALLER": sizeKey(false),

		"FROM":    envelopeKey("FROM"),
		"TO":      envelopeKey("TO"),
		"CC":      envelopeKey("CC"),
		"BCC":     envelopeKey("BCC"),
		"SUBJECT": envelopeKey("SUBJECT"),
		"HEADER":  headerKey,
		"BODY":    textKey(func(s string) SearchKey { return Body{s} }),
		"TEXT":    textKey(func(s string) SearchKey { return Text{s} }),

		"MODSEQ":   modSeqKey,
		"EMAILID":  idKey(func(s string) SearchKey { return EmailID{s} }),
		"THREADID": idKey(func(s string) SearchKey { return ThreadID{s} }),
	}
}

func uidKey(r *wire.Reader) (SearchKey, error) {
	if r.Accept('$') {
		return Saved{}, nil
	}
	set, err := r.UIDSet()
	return UIDs{set}, err
}

func keywordKey(r *wire.Reader) (SearchKey, error) {
	name, err := r.Atom()
	return HasFlag{CanonicalFlag(name)}, err
}

func dateKey(of DateOf, when DateWhen) keyParser {
	return func(r *wire.Reader) (SearchKey, error) {
		day, err := r.Date()
		return Date{Of: of, When: when, Day: day}, err
	}
}

// ageKey is of RFC 5032, section 4.
func ageKey(older bool) keyParser {
	return func(r *wire.Reader) (SearchKey, error) {
		seconds, err := r.NZNumber()
		return Age{Older: older, Seconds: seconds}, err
	}
}

func sizeKey(larger bool) keyParser {
	return func(r *wire.Reader) (SearchKey, error) {
		octets, err := r.Number64()
		return Size{Larger: larger, Octets: octets}, err
	}
}

func envelopeKey(name string) keyParser {
	return textKey(func(s string) SearchKey { return Header{Name: name, Value: s, Envelope: true} })
}

func textKey(key func(string) SearchKey) keyParser {
	return func(r *wire.Reader) (SearchKey, error) {
		text, err := r.AString()
		return key(text), err
	}
}

func headerKey(r *wire.Reader) (SearchKey, error) {
	name, err := r.AString()
	if err != nil {
		return nil, err
	}
	value, err := spAString(r)
	return Header{Name: name, Value: value}, err
}

// idKey takes an objectid (RFC 8474, section 7).
func idKey(key func(string) SearchKey) keyParser {
	return func(r *wire.Reader) (SearchKey, error) {
		id, err := r.AString()
		return key(id), err
	}
}

// modSeqKey is of RFC 7162, section 7: [entry-name SP entry-type-req SP] mod-sequence-valzer.
func modSeqKey(r *wire.Reader) (SearchKey, error) {
	var key ModSeq
	var err error
	if r.Peek() == '"' {
		if key.Entry, err = r.String(); err != nil {
			return nil, err
		}
		if err = r.SP(); err != nil {
			return nil, err
		}
		word := string(r.Keyword())
		if word != "ALL" && word != "PRIV" && word != "SHARED" {
			return nil, wire.BadFound("type of entry", word, "priv, shared, all")
		}
		key.Type = strings.ToLower(word)
		if err = r.SP(); err != nil {
			return nil, err
		}
	}
	key.Since, err = r.Number64()
	return key, err
}

// MapText returns a copy of key in which f was applied to every text to look for: to decode them from the charset that a
// client gave (RFC 9051, section 6.4.4). Names of header fields are ASCII and left alone.
func MapText(key SearchKey, f func(string) (string, error)) (SearchKey, error) {
	var err error
	each := func(k SearchKey) SearchKey {
		if err == nil {
			k, err = MapText(k, f)
		}
		return k
	}
	text := func(s string) string {
		s, err = f(s)
		return s
	}
	switch k := key.(type) {
	case And:
		mapped := make(And, len(k))
		for i := range k {
			mapped[i] = each(k[i])
		}
		return mapped, err
	case Or:
		mapped := make(Or, len(k))
		for i := range k {
			mapped[i] = each(k[i])
		}
		return mapped, err
	case Not:
		return Not{each(k.Key)}, err
	case Fuzzy:
		return Fuzzy{each(k.Key)}, err
	case Header:
		k.Value = text(k.Value)
		return k, err
	case Body:
		return Body{text(k.Value)}, err
	case Text:
		return Text{text(k.Value)}, err
	}
	return key, nil
}
