package wire

import (
	"bytes"
	"crypto/tls"
	"reflect"
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

// trim frees the empty buffers of a session that nobody reads from and whose last read found no data.
func trim(session *tls.Conn) {
	if hasRawInput {
		free(session, rawInput)
	}
	if hasHand {
		free(session, handBuffer)
	}
}

func free(session *tls.Conn, offset uintptr) {
	buffer := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(session), offset))
	if buffer.Len() == 0 {
		*buffer = bytes.Buffer{}
	}
}
