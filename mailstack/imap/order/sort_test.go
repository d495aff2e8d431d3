package order

import (
	"cmp"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestCasemap(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""}, {"ABC 1", "ABC 1"}, {"aBc[z]", "ABC[Z]"}, {"été", "E\u0301TE\u0301"}, {"É", "E\u0301"},
		{"ǆ ǅ", "Dz\u030c Dz\u030c"}, {"ﬁ", "fi"}, {"a\xff", "A\ufffd"}, {"straße", "STRAßE"},
	} {
		if got := Casemap(test.in); got != test.want {
			t.Errorf("%q: %q, want %q", test.in, got, test.want)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, test := range []struct {
		list             []imap.Address
		address, display string
	}{
		{nil, "", ""},
		{[]imap.Address{{Name: "Kossi é", Mailbox: "kossi", Host: "g.tg"}, {Mailbox: "b"}}, "KOSSI", "KOSSI E\u0301"},
		{[]imap.Address{{Mailbox: "kossi", Host: "g.tg"}}, "KOSSI", "KOSSI@G.TG"},
		{[]imap.Address{{Mailbox: "Cabinet"}, {Mailbox: "a", Host: "g.tg"}, {}}, "CABINET", "CABINET"},
	} {
		if a, d := AddressKey(test.list), DisplayKey(test.list); a != test.address || d != test.display {
			t.Errorf("%v: %q %q, want %q %q", test.list, a, d, test.address, test.display)
		}
	}
}

// table has few values of each field, so that every criterion meets equals.
func table(n int, seed uint64) []Item {
	next := func(values uint64) int64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return int64(seed >> 33 % values)
	}
	text := func() string { return string(rune('A' + next(4))) }
	items := make([]Item, n)
	for i := range items {
		items[i] = Item{Number: uint32(i + 1), Arrival: next(5), Sent: next(5), Size: next(3),
			Subject: text(), From: text(), To: text(), Cc: text(), DisplayFrom: text(), DisplayTo: text()}
	}
	return items
}

func TestSort(t *testing.T) {
	// RFC 5256, section 3: REVERSE turns the next criterion only, and never the sequence numbers.
	items := []Item{{Number: 1, Size: 5, Sent: 2}, {Number: 2, Size: 5, Sent: 1}, {Number: 3, Size: 7, Sent: 9}, {Number: 4, Size: 5, Sent: 2}}
	for _, test := range []struct {
		criteria []Criterion
		want     []uint32
	}{
		{nil, []uint32{1, 2, 3, 4}},
		{[]Criterion{{Key: Size}}, []uint32{1, 2, 4, 3}},
		{[]Criterion{{Size, true}}, []uint32{3, 1, 2, 4}},
		{[]Criterion{{Size, true}, {Key: Date}}, []uint32{3, 2, 1, 4}},
		{[]Criterion{{Date, true}}, []uint32{3, 1, 4, 2}},
		{[]Criterion{{Subject, true}}, []uint32{1, 2, 3, 4}},
	} {
		if got := Sort(items, test.criteria); !slices.Equal(got, test.want) {
			t.Errorf("%v: %v, want %v", test.criteria, got, test.want)
		}
	}
}

func FuzzSort(f *testing.F) {
	f.Add(uint64(1), uint8(20), []byte{0, 7, 12})
	f.Fuzz(func(t *testing.T, seed uint64, n uint8, program []byte) {
		var criteria []Criterion
		for _, b := range program[:min(len(program), 12)] {
			criteria = append(criteria, Criterion{Key(b % 9), b&0x80 != 0})
		}
		items := table(int(n), seed)
		got := Sort(items, criteria)
		// Every message once, and each pair of neighbours in order by the first criterion that tells them apart.
		for i, number := range slices.Sorted(slices.Values(got)) {
			if number != uint32(i+1) {
				t.Fatalf("not a permutation: %v", got)
			}
		}
		fields := func(i uint32) []any {
			it := items[i-1]
			return []any{it.Arrival, it.Cc, it.Sent, it.From, it.Size, it.Subject, it.To, it.DisplayFrom, it.DisplayTo}
		}
		for i := 1; i < len(got); i++ {
			a, b := fields(got[i-1]), fields(got[i])
			order := 0
			for _, c := range criteria {
				if s, text := a[c.Key].(string); text {
					order = cmp.Compare(s, b[c.Key].(string))
				} else {
					order = cmp.Compare(a[c.Key].(int64), b[c.Key].(int64))
				}
				if c.Reverse {
					order = -order
				}
				if order != 0 {
					break
				}
			}
			if order > 0 || order == 0 && got[i-1] > got[i] {
				t.Fatalf("%v: %d before %d", criteria, got[i-1], got[i])
			}
		}
	})
}

func BenchmarkSort(b *testing.B) {
	items := table(200_000, 1)
	for b.Loop() {
		Sort(items, []Criterion{{Key: Subject}, {Date, true}})
	}
}
