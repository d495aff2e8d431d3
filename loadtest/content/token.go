package content

import (
	"fmt"
	"strconv"
	"strings"
)

// TokenHeader is the name of the header that carries the token. It is the first that the generator writes.
const TokenHeader = "X-Load-Token"

// idDomain is the right-hand side of every Message-ID: a domain that cannot be (RFC 2606).
const idDomain = "messagerie.invalid"

// What a message is made of.
const (
	kindReply      = 1 << iota // answers another
	kindAttachment             // carries files
	kinds
)

// maxSize bounds what a token can ask a reader to compute.
const maxSize = 1 << 30

// identity is what a token says: all that is needed to make the message again, but for its addresses and date, which are hashed.
type identity struct {
	run    string
	worker int
	number uint64
	kind   int
	size   int // octets of the body, roughly
	// addresses is a Bloom filter of the sender and the recipients, 3 bits each: a leak to somebody else shows in the token alone.
	addresses uint64
	// headers is the digest of the part of the header that does not follow from the token.
	headers digest
}

// unsigned is the token without its checksum.
func (id *identity) unsigned(b []byte) []byte {
	b = append(b, id.run...)
	for _, n := range [...]uint64{uint64(id.worker), id.number, uint64(id.kind), uint64(id.size), id.addresses, uint64(id.headers)} {
		b = strconv.AppendUint(append(b, '.'), n, 36)
	}
	return b
}

// token is the run, then six numbers and a checksum in base 36, joined by dots.
func (id *identity) token() string {
	var space [128]byte
	b := id.unsigned(space[:0])
	return string(strconv.AppendUint(append(b, '.'), checksum(b), 36))
}

func checksum(token []byte) uint64 { return sum(emptyDigest, token).mixed() >> 32 }

func parseToken(token string) (identity, error) {
	fields := strings.Split(token, ".")
	if len(fields) != 8 || !validRun(fields[0]) {
		return identity{}, fmt.Errorf("token: found %.100q; accepted is RUN.WORKER.NUMBER.KIND.SIZE.ADDRESSES.HEADERS.SUM", token)
	}
	var numbers [7]uint64
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.ParseUint(fields[i+1], 36, 64); err != nil {
			return identity{}, fmt.Errorf("token: found %.30q; accepted is a number in base 36", fields[i+1])
		}
	}
	if numbers[0] > 1<<31 || numbers[2] >= kinds || numbers[3] > maxSize {
		return identity{}, fmt.Errorf("token: found worker %d, kind %d, size %d; accepted is up to %d, %d, %d",
			numbers[0], numbers[2], numbers[3], 1<<31, kinds-1, maxSize)
	}
	id := identity{run: fields[0], worker: int(numbers[0]), number: numbers[1], kind: int(numbers[2]), size: int(numbers[3]),
		addresses: numbers[4], headers: digest(numbers[5])}
	// Made again, the token must be the same, which also refuses second spellings such as leading zeros.
	if want := id.token(); want != token {
		return identity{}, fmt.Errorf("token: found checksum %s; accepted is %s", fields[7], want[strings.LastIndexByte(want, '.')+1:])
	}
	return id, nil
}

// validRun says whether a run's name can stand in a token and in a Message-ID.
func validRun(run string) bool {
	if run == "" || len(run) > 32 {
		return false
	}
	for i := range len(run) {
		if c := run[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// runName makes a run's name of any text and the seed.
func runName(text string, seed uint64) string {
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c - 'A' + 'a'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		}
		return '-'
	}, text)
	if name == "" {
		name = "run"
	}
	return name[:min(len(name), 24)] + "-" + strconv.FormatUint(digest(seed).mixed()>>40, 36)
}

// origin is the digest of what names the message: subject and body are seeded by it.
func (id *identity) origin() digest {
	return sum(emptyDigest, id.run).number(uint64(id.worker)).number(id.number)
}

func (id *identity) bodySeed() random {
	return random(id.origin().number(uint64(id.kind)).number(uint64(id.size)).mixed())
}

// filterBits are the bits of an address in identity.addresses.
func filterBits(address string) uint64 {
	h := sum(emptyDigest, strings.ToLower(address)).mixed()
	return 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63)
}

// addressed says whether an address may be the sender or a recipient; false is certain.
func (id *identity) addressed(address string) bool {
	bits := filterBits(address)
	return id.addresses&bits == bits
}

// messageID is NUMBER.WORKER.RUN@messagerie.invalid, with brackets.
func messageID(b []byte, run string, worker int, number uint64) []byte {
	b = strconv.AppendUint(append(b, '<'), number, 36)
	b = strconv.AppendUint(append(b, '.'), uint64(worker), 36)
	b = append(append(b, '.'), run...)
	return append(append(append(b, '@'), idDomain...), '>')
}

// parseMessageID is the inverse of messageID; brackets may be missing. The identity has a run, a worker and a number only.
func parseMessageID(text string) (identity, bool) {
	local, ok := strings.CutSuffix(strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">"), "@"+idDomain)
	fields := strings.Split(local, ".")
	if !ok || len(fields) != 3 || !validRun(fields[2]) {
		return identity{}, false
	}
	number, err := strconv.ParseUint(fields[0], 36, 64)
	worker, err2 := strconv.ParseUint(fields[1], 36, 31)
	return identity{run: fields[2], worker: int(worker), number: number}, err == nil && err2 == nil
}
