package directory

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Parameters of new hashes: OWASP's second recommendation for argon2id, 19 MiB and about 20 ms each.
const (
	argonMemory  = 19456 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
)

// MaxPassword is the longest password that is looked at, in bytes. It bounds the work an unknown peer can ask for.
const MaxPassword = 1024

// ErrHash reports a password hash that is not of an accepted form. The text never repeats the hash.
var ErrHash = errors.New("accepted are $argon2id$…, {ARGON2ID}$argon2id$…, {SSHA256}…, {SSHA512}… and {BLF-CRYPT}$2…")

// ErrPassword reports a password that cannot be hashed.
var ErrPassword = fmt.Errorf("accepted are passwords of 1 to %d bytes", MaxPassword)

// Hash makes a new argon2id hash in PHC form.
func Hash(password string) (string, error) {
	if password == "" || len(password) > MaxPassword {
		return "", ErrPassword
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	return newArgon(password, salt).String(), nil
}

// Verify reports whether password matches hash, in constant time for hashes of one form. rehash says that the hash
// should be replaced by a new one now that the password is at hand. err is ErrHash or nil.
func Verify(hash, password string) (ok, rehash bool, err error) {
	h, err := parseHash(hash)
	if err != nil {
		return false, false, err
	}
	if password == "" || len(password) > MaxPassword {
		return false, false, nil
	}
	return h.matches(password), !h.current(), nil
}

// CheckHash reports whether Verify would accept the form of hash.
func CheckHash(hash string) error {
	_, err := parseHash(hash)
	return err
}

// IsHash reports whether s is meant as a hash, not as a password: it starts like a scheme. CheckHash says whether it is a good one.
func IsHash(s string) bool {
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "$argon2")
}

type hash interface {
	matches(password string) bool
	current() bool
}

func parseHash(s string) (hash, error) {
	if len(s) > 512 {
		return nil, ErrHash
	}
	if !strings.HasPrefix(s, "{") {
		return parseArgon(s)
	}
	scheme, rest, ok := strings.Cut(s[1:], "}")
	if !ok {
		return nil, ErrHash
	}
	switch strings.ToUpper(scheme) {
	case "ARGON2ID":
		return parseArgon(rest)
	case "SSHA256":
		return parseSalted(rest, sha256.Size, func(b []byte) []byte { d := sha256.Sum256(b); return d[:] })
	case "SSHA512":
		return parseSalted(rest, sha512.Size, func(b []byte) []byte { d := sha512.Sum512(b); return d[:] })
	case "BLF-CRYPT":
		return parseBcrypt(rest)
	}
	return nil, ErrHash
}

type argonHash struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func newArgon(password string, salt []byte) argonHash {
	return argonHash{argonMemory, argonTime, argonThreads, salt,
		argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)}
}

func (h argonHash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.time, h.threads,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

// parseArgon reads the PHC form. Its bounds keep a hash from a file from eating the memory and time of a cell.
func parseArgon(s string) (hash, error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v=19" {
		return nil, ErrHash
	}
	var h argonHash
	n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.memory, &h.time, &h.threads)
	if err != nil || n != 3 || part[3] != fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.time, h.threads) {
		return nil, ErrHash
	}
	if h.threads < 1 || h.threads > 16 || h.memory < 8*uint32(h.threads) || h.memory > 64<<10 || h.time < 1 || h.time > 10 {
		return nil, ErrHash
	}
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(part[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return nil, ErrHash
	}
	if h.key, err = base64.RawStdEncoding.Strict().DecodeString(part[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return nil, ErrHash
	}
	return h, nil
}

func (h argonHash) matches(password string) bool {
	key := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

func (h argonHash) current() bool {
	return h.memory == argonMemory && h.time == argonTime && h.threads == argonThreads &&
		len(h.salt) >= argonSalt && len(h.key) >= argonKey
}

// saltedHash is digest(password+salt)+salt, as Dovecot and OpenLDAP write it.
type saltedHash struct {
	digest, salt []byte
	sum          func([]byte) []byte
}

func parseSalted(s string, size int, sum func([]byte) []byte) (hash, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < size+4 || len(b) > size+64 {
		return nil, ErrHash
	}
	return saltedHash{b[:size], b[size:], sum}, nil
}

func (h saltedHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.sum(append([]byte(password), h.salt...)), h.digest) == 1
}

func (saltedHash) current() bool { return false }

type bcryptHash []byte

func parseBcrypt(s string) (hash, error) {
	cost, err := bcrypt.Cost([]byte(s))
	if err != nil || len(s) != 60 || cost > 14 {
		return nil, ErrHash
	}
	return bcryptHash(s), nil
}

func (h bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword(h, []byte(password)) == nil
}

func (bcryptHash) current() bool { return false }
