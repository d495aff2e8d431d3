package harness

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
)

// Account is a test account whose password the test knows.
type Account struct {
	Address  string
	Password string
}

// NewAccount makes an account with a password nobody can guess.
func NewAccount(address string) Account { return Account{address, rand.Text()} }

// hash is the password as a file of accounts carries it: base64(sha512(password+salt)+salt).
func (a Account) hash() string {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum := sha512.Sum512(append([]byte(a.Password), salt...))
	return "{SSHA512}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...))
}
