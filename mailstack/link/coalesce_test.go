package link

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"testing"
)

// recorder notes the size of each write.
type recorder struct {
	net.Conn
	sizes []int
	all   bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.sizes = append(r.sizes, len(b))
	return r.all.Write(b)
}

func muxFrame(kind byte, length int) []byte {
	h := make([]byte, muxHeader)
	h[muxTypeAt] = kind
	binary.BigEndian.PutUint32(h[muxLengthAt:], uint32(length))
	return h
}

func TestCoalescer(t *testing.T) {
	for name, tc := range map[string]struct {
		writes [][]byte
		want   []int
	}{
		"data":                {[][]byte{muxFrame(muxData, 5), []byte("hello")}, []int{17}},
		"data of header size": {[][]byte{muxFrame(muxData, 12), muxFrame(muxData, 1), muxFrame(muxData, 1), []byte("x")}, []int{24, 13}},
		"large data":          {[][]byte{muxFrame(muxData, 40000), make([]byte, 40000)}, []int{16384, 40000 - 16384 + 12}},
		"window update":       {[][]byte{muxFrame(1, 4096), muxFrame(1, 4096)}, []int{12, 12}},
		"end of stream":       {[][]byte{muxFrame(muxData, 0), muxFrame(1, 1)}, []int{12, 12}},
	} {
		r := &recorder{}
		c := &coalescer{Conn: r}
		var sent bytes.Buffer
		for _, b := range tc.writes {
			sent.Write(b)
			if n, err := c.Write(b); n != len(b) || err != nil {
				t.Fatalf("%s: Write = %d, %v", name, n, err)
			}
		}
		if !slices.Equal(r.sizes, tc.want) || !bytes.Equal(r.all.Bytes(), sent.Bytes()) {
			t.Errorf("%s: writes of %v, want %v", name, r.sizes, tc.want)
		}
	}
}
