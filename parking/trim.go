package parking

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"sync"
	"unsafe"
)

// crypto/tls keeps the buffer of the greatest record (up to 17 KiB, 34 KiB after doubling) and of the handshake's messages as
// long as the session lives, and has no call to give them up. A parked session needs neither, and there are thousands of
// them. The fields are looked up by name and type: where a release of Go has other ones nothing is freed, which costs
// memory and nothing else.
var (
	rawInput, hasRawInput = bufferField("rawInput")
	handBuffer, hasHand   = bufferField("hand")
)

func bufferField(name string) (offset uintptr, ok bool) {
	field, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
	return field.Offset, ok && field.Type == reflect.TypeFor[bytes.Buffer]()
}

func buffer(session *tls.Conn, offset uintptr) *bytes.Buffer {
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(session), offset))
}

// lentSize holds a record of the greatest size, and what bytes.Buffer and crypto/tls want to have free beside it.
const lentSize = 20 << 10

var lent = sync.Pool{New: func() any { return new([lentSize]byte) }}

// Lend gives a session that is going to be read a buffer for its records, which Trim takes back: a record is then read with one
// system call and without an allocation.
func Lend(session *tls.Conn) {
	if !hasRawInput {
		return
	}
	raw := buffer(session, rawInput)
	if raw.Cap() >= lentSize {
		return
	}
	b := lent.Get().(*[lentSize]byte)
	n := copy(b[:], raw.Bytes()) // a part of a record, perhaps
	*raw = *bytes.NewBuffer(b[:n])
}

// Trim frees the buffers of a session that nobody reads from and whose last read found no data. A part of a record is
// kept, in a buffer of its size.
func Trim(session *tls.Conn) {
	if hasRawInput {
		raw := buffer(session, rawInput)
		rest := bytes.Clone(raw.Bytes())
		raw.Reset()
		if b := raw.AvailableBuffer(); cap(b) == lentSize {
			lent.Put((*[lentSize]byte)(b[:lentSize]))
		}
		*raw = bytes.Buffer{}
		if len(rest) > 0 {
			*raw = *bytes.NewBuffer(rest)
		}
	}
	if hasHand {
		if hand := buffer(session, handBuffer); hand.Len() == 0 {
			*hand = bytes.Buffer{}
		}
	}
}
