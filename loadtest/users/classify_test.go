package users

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

// What the generator ran out of is not charged to the target.
func TestClassify(t *testing.T) {
	for number, want := range map[syscall.Errno]string{
		syscall.EMFILE: Exhausted, syscall.ENFILE: Exhausted, syscall.EADDRNOTAVAIL: Exhausted, syscall.ENOBUFS: Exhausted,
		syscall.ECONNREFUSED: "connection refused", syscall.ECONNRESET: "connection closed", syscall.EHOSTUNREACH: "connection: dial",
	} {
		err := fmt.Errorf("imap: dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", number)})
		if got := classify(err); got != want {
			t.Errorf("%v: found %q; want %q", number, got, want)
		}
	}
}
