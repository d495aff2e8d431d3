package wire

// Write buffers p; what does not fit goes out.
func (c *Conn) Write(p []byte) (int, error) {
	c.log.sent(p)
	return c.write(p)
}

// WriteString is Write for a string.
func (c *Conn) WriteString(s string) (int, error) { return c.Write([]byte(s)) }

// Hidden is Write for secrets: the transcript shows "<hidden>" in their place, and also where the peer echoes them.
func (c *Conn) Hidden(p []byte) (int, error) {
	c.log.hide(p)
	return c.write(p)
}

func (c *Conn) write(p []byte) (int, error) {
	if c.pending+len(p) <= WriteBuffer {
		if c.out == nil {
			c.out = writeBuffers.Get().(*[WriteBuffer]byte)
		}
		c.pending += copy(c.out[c.pending:], p)
		return len(p), nil
	}
	if err := c.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush sends what is buffered.
func (c *Conn) Flush() error {
	if c.pending == 0 {
		return nil
	}
	return c.send()
}

// Send is Flush followed by the parts, without copying them where the connection is plain: one system call. Under TLS
// they share records.
func (c *Conn) Send(parts ...[]byte) error {
	for _, p := range parts {
		c.log.sent(p)
	}
	return c.send(parts...)
}

// send writes what is pending, then the parts.
func (c *Conn) send(parts ...[]byte) error {
	if c.pending > 0 {
		parts = append([][]byte{c.out[:c.pending]}, parts...)
	}
	var err error
	if c.tls == nil {
		err = c.transport.writeParts(parts)
	} else {
		err = c.seal(parts)
	}
	c.pending = 0
	if c.out != nil {
		writeBuffers.Put(c.out)
		c.out = nil
	}
	return err
}

// seal gathers the parts into records of the greatest size: each is one encryption and one system call.
func (c *Conn) seal(parts [][]byte) error {
	if len(parts) == 1 {
		_, err := c.tls.Write(parts[0])
		return err
	}
	record := readBuffers.Get().(*[ReadBuffer]byte)
	defer readBuffers.Put(record)
	n := 0
	for _, p := range parts {
		for len(p) > 0 {
			taken := copy(record[n:], p)
			n, p = n+taken, p[taken:]
			if n < len(record) {
				continue
			}
			if _, err := c.tls.Write(record[:n]); err != nil {
				return err
			}
			n = 0
		}
	}
	if n == 0 {
		return nil
	}
	_, err := c.tls.Write(record[:n])
	return err
}
