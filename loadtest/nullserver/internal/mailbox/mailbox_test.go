package mailbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCollector(t *testing.T) {
	long := "X: " + strings.Repeat("y", MaxHeader) + "\r\n\r\ntext"
	for _, test := range []struct{ message, header string }{
		{"A: b\r\n\r\ntext\r\n", "A: b\r\n\r\n"},
		{"\r\ntext", "\r\n"},
		{"A: b\r\n", "A: b\r\n"},
		{"", ""},
		{long, long[:MaxHeader]},
	} {
		for _, keep := range []bool{false, true} {
			for _, piece := range []int{1, 2, 3, 1 << 20} {
				c := Collector{Keep: keep}
				for p := range slices.Chunk([]byte(test.message), piece) {
					c.Take(p)
				}
				content := c.Content()
				header, kept := test.header, test.header
				if keep {
					kept = test.message
					if i := strings.Index(test.message, "\r\n\r\n"); i > 0 {
						header = test.message[:i+4]
					}
				}
				if string(content.Header()) != header || string(content.Kept()) != kept || content.Size() != int64(len(test.message)) {
					t.Errorf("%.20q in pieces of %d, keep %v: header of %d, kept %d, size %d", test.message, piece, keep, len(content.Header()),
						len(content.Kept()), content.Size())
				}
				read := content.Append(nil, 0, content.Size())
				if len(read) != len(test.message) || !strings.HasPrefix(string(read), kept) {
					t.Errorf("%.20q reads as %.20q", test.message, read)
				}
				for range 20 {
					from := rand.Int64N(content.Size() + 1)
					to := from + rand.Int64N(content.Size()+1-from)
					if string(content.Append(nil, from, to)) != string(read[from:to]) {
						t.Fatalf("octets %d to %d differ from the whole", from, to)
					}
				}
			}
		}
	}
}

func TestSet(t *testing.T) {
	for text, want := range map[string]string{
		"1": "[{1 1}]", "5:2,9": "[{2 5} {9 9}]", "*": "[{10 10}]", "12:*": "[{10 12}]", "*:4,3:6": "[{3 10}]", "1,1,1:2": "[{1 2}]",
		"": "", "0": "", "1:": "", ",": "", "1,": "", "4294967295": "", "99999999999999999999": "", "1:2:3": "", "a": "",
	} {
		set, err := ParseSet([]byte(text))
		got := ""
		if err == nil {
			got = fmt.Sprint(set.resolve(10))
		}
		if got != want {
			t.Errorf("%q: %s; %s expected", text, got, want)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add("1:3,5,*")
	f.Add("9:*,4294967294:1")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseSet([]byte(text))
		if err != nil {
			return
		}
		ranges := set.resolve(100)
		for i, r := range ranges {
			if r.From > r.To || r.From == 0 || i > 0 && ranges[i-1].To >= r.From {
				t.Errorf("%q resolves to %v", text, ranges)
			}
		}
	})
}

func TestAppendUIDs(t *testing.T) {
	if s := string(AppendUIDs(nil, []uint32{1, 2, 3, 7, 9, 10, 4, 4})); s != "1:3,7,9:10,4,4" {
		t.Error(s)
	}
}

// client is what a mail program makes of the updates.
type client struct {
	t     *testing.T
	flags map[uint32]string // by UID
	count uint32
}

func (c *client) Keywords([]byte) {}
func (c *client) Expunge(seq uint32) {
	if seq == 0 || seq > c.count {
		c.t.Fatalf("EXPUNGE %d of %d", seq, c.count)
	}
	c.count--
}
func (c *client) Exists(n uint32) {
	if n <= c.count {
		c.t.Fatalf("EXISTS %d after %d", n, c.count)
	}
	c.count = n
}
func (c *client) Changed(seq, uid uint32, flags []byte, _ uint64) {
	if seq > c.count {
		c.t.Fatalf("FETCH %d of %d", seq, c.count)
	}
	c.flags[uid] = sorted(string(flags))
}

func sorted(flags string) string {
	names := strings.Fields(flags)
	slices.Sort(names)
	return strings.Join(names, " ")
}

// worked is what a client that stores silently takes the flags for.
func worked(flags string, c Change) string {
	names := slices.DeleteFunc(strings.Fields(flags), func(name string) bool { return c.Action == Replace || name == c.Flags[0] })
	if c.Action != Remove {
		names = append(names, c.Flags[0])
	}
	return strings.Join(names, " ")
}

// Whatever several sessions do, each one's numbers stay right, and in the end all agree with the mailbox.
func TestViewsAgree(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 5))
		store := &Store{Keep: seed%2 == 0}
		account, err := store.Account("a@b")
		if err != nil {
			t.Fatal(err)
		}
		box := account.Mailbox("inbox")
		content := (&Collector{}).Content()
		views, clients := make([]*View, 4), make([]*client, 4)
		for i := range views {
			views[i], _ = box.Select()
			clients[i] = &client{t: t, flags: map[uint32]string{}}
		}
		check := func(i int) {
			v, c := views[i], clients[i]
			if int(c.count) != v.Len() {
				t.Fatalf("session %d counts %d, its view %d", i, c.count, v.Len())
			}
			for _, m := range v.list { // what is new is fetched
				if _, known := c.flags[m.UID]; !known {
					names, _ := v.State(nil, m)
					c.flags[m.UID] = sorted(string(names))
				}
			}
		}
		for range 300 {
			i := random.IntN(len(views))
			v, c := views[i], clients[i]
			switch random.IntN(6) {
			case 0, 1:
				if _, err := box.Append(content, nil, time.Now()); err != nil {
					t.Fatal(err)
				}
			case 2:
				change := Change{Action: Action(random.IntN(3)), Flags: []string{[]string{`\Seen`, `\Deleted`, "$a", "$b"}[random.IntN(4)]}}
				v.Each(Set{{1, Star}}, false, func(_ uint32, m *Message) bool {
					if random.IntN(4) == 0 {
						names, _, _, err := v.Store(nil, m, change)
						if err != nil {
							t.Fatal(err)
						}
						if random.IntN(2) == 0 { // silently: the client works it out
							names = []byte(worked(c.flags[m.UID], change))
						}
						c.flags[m.UID] = sorted(string(names))
					}
					return true
				})
			case 3:
				v.Expunge(nil)
			case 4:
				v.Update(random.IntN(2) == 0, c)
				check(i)
			case 5:
				if _, err := v.Copy(Set{{1, 1}}, false, box, random.IntN(2) == 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, v := range views {
			v.Update(true, clients[i])
			check(i)
			if !slices.Equal(v.list, box.messages) {
				t.Fatalf("session %d sees another mailbox", i)
			}
			for _, m := range v.list {
				names, _ := v.State(nil, m)
				if told := clients[i].flags[m.UID]; told != sorted(string(names)) {
					t.Fatalf("session %d takes the flags of %d for %q, they are %q", i, m.UID, told, names)
				}
			}
		}
		for i := 1; i < len(box.messages); i++ {
			if box.messages[i].UID <= box.messages[i-1].UID {
				t.Fatal("UIDs do not ascend")
			}
		}
		if used := store.bytes.Load(); used != int64(len(box.messages))*weight(content) {
			t.Errorf("%d bytes accounted for %d messages", used, len(box.messages))
		}
	}
}

func TestBounds(t *testing.T) {
	store := &Store{}
	account, _ := store.Account("A@b")
	if again, _ := store.Account("a@B"); again != account {
		t.Error("names differ by case")
	}
	var err error
	for i := 0; i <= MaxMailboxes && err == nil; i++ {
		err = account.Create(fmt.Sprint(i))
	}
	if err != ErrFull {
		t.Errorf("mailboxes without bound: %v", err)
	}
	box := account.Mailbox("INBOX")
	content := (&Collector{}).Content()
	for i := 0; i <= maxKeywords; i++ {
		_, err = box.Append(content, []string{fmt.Sprintf("$%d", i)}, time.Now())
	}
	if err != ErrFull {
		t.Errorf("keywords without bound: %v", err)
	}
	for range 3 * LastMessages {
		if _, err := box.Append(content, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if n := box.Status().Messages; n != LastMessages {
		t.Errorf("%d messages", n)
	}
}
