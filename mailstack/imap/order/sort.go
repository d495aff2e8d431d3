package order

import (
	"cmp"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Key is what a sort criterion compares.
type Key uint8

// Keys of RFC 5256, section 3, and RFC 5957 (those of display names).
const (
	Arrival Key = iota
	Cc
	Date
	From
	Size
	Subject
	To
	DisplayFrom
	DisplayTo
	Relevancy // RFC 6203, section 5: the most relevant first
)

// Criterion is one sort criterion.
type Criterion struct {
	Key     Key
	Reverse bool
}

// Item is one message to be sorted. Only the fields that the criteria compare need to be set.
type Item struct {
	Number  uint32 // sequence number or UID; where all criteria find two messages alike it decides, never reversed
	Arrival int64  // internal date, as seconds or finer
	Sent    int64  // sent date (RFC 5256, section 2.2), or what Arrival has if there is none
	Size    int64  // bytes
	Score   uint32 // relevancy, the higher the more
	// Keys of texts: Casemap of the base subject; AddressKey; DisplayKey.
	Subject                              string
	From, To, Cc, DisplayFrom, DisplayTo string
}

// AddressKey is what FROM, TO and CC compare: the mailbox of the first address.
func AddressKey(list []imap.Address) string {
	if len(list) == 0 {
		return ""
	}
	return Casemap(list[0].Mailbox)
}

// DisplayKey is what DISPLAYFROM and DISPLAYTO compare (RFC 5957, section 3): the name of the first address if it has one, else
// the address; of a group its name. Names have their encoded words decoded.
func DisplayKey(list []imap.Address) string {
	if len(list) == 0 {
		return ""
	}
	switch a := list[0]; {
	case a.Name != "":
		return Casemap(a.Name)
	case a.Host == "": // begins a group (RFC 9051, 7.5.2)
		return Casemap(a.Mailbox)
	default:
		return Casemap(a.Mailbox + "@" + a.Host)
	}
}

// Sort returns the numbers of the items as the criteria order them, the first criterion first (RFC 5256, section 3).
func Sort(items []Item, criteria []Criterion) []uint32 {
	sorted := make([]uint32, len(items)) // of indices, then of numbers
	for i := range sorted {
		sorted[i] = uint32(i)
	}
	slices.SortFunc(sorted, func(i, j uint32) int {
		a, b := &items[i], &items[j]
		for _, c := range criteria {
			if order := compare(a, b, c.Key); order != 0 {
				if c.Reverse {
					return -order
				}
				return order
			}
		}
		return cmp.Compare(a.Number, b.Number)
	})
	for i, index := range sorted {
		sorted[i] = items[index].Number
	}
	return sorted
}

func compare(a, b *Item, key Key) int {
	switch key {
	case Arrival:
		return cmp.Compare(a.Arrival, b.Arrival)
	case Date:
		return cmp.Compare(a.Sent, b.Sent)
	case Relevancy:
		return cmp.Compare(b.Score, a.Score)
	case Size:
		return cmp.Compare(a.Size, b.Size)
	case Subject:
		return strings.Compare(a.Subject, b.Subject)
	case From:
		return strings.Compare(a.From, b.From)
	case To:
		return strings.Compare(a.To, b.To)
	case Cc:
		return strings.Compare(a.Cc, b.Cc)
	case DisplayFrom:
		return strings.Compare(a.DisplayFrom, b.DisplayFrom)
	case DisplayTo:
		return strings.Compare(a.DisplayTo, b.DisplayTo)
	}
	return 0
}
