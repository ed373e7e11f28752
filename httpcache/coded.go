package httpcache

// Transformable reports whether a cache may send a stored response in a coding of its choice: its content has none yet, is
// whole, and neither it nor a Cache-Control that can't be read forbids that (no-transform, RFC 9111 §5.2.2.6).
func Transformable(resp *Response) bool {
	switch {
	case resp.Status < 200 || resp.Status == 204 || resp.Status == 205 || resp.Status == 206 || resp.Status == 304:
		return false
	case has(resp.Fields, "Content-Range"):
		return false
	}
	for line := range lines(resp.Fields, "Content-Encoding") {
		if name := trimOWS(line); name != "" && !sameName(name, "identity") {
			return false
		}
	}
	return !forbidsTransform(resp.Fields)
}

// WantsUntransformed reports whether a request is better answered with the stored form of a response although it accepts a
// coding: it says no-transform (RFC 9111 §5.2.1.6), or wants a range. Of a response's forms the stored one alone has a strong
// validator, without which a client can't put parts together (RFC 9110 §15.3.7.3), and is the same on all nodes.
func WantsUntransformed(req *Request) bool {
	for i := range req.Fields {
		switch name := req.Fields[i].Name; len(name) {
		case len("Range"):
			if sameName(name, "Range") {
				return true
			}
		case len("Cache-Control"):
			if sameName(name, "Cache-Control") && forbidsTransform(req.Fields[i:i+1]) {
				return true
			}
		}
	}
	return false
}

// forbidsTransform reports whether Cache-Control says no-transform, or may say so where its quoting is broken.
func forbidsTransform(fields []Field) bool {
	for line := range lines(fields, "Cache-Control") {
		for line != "" {
			var d directive
			d, line = cutDirective(line)
			if d.malformed || sameName(d.name, "no-transform") {
				return true
			}
		}
	}
	return false
}

// VaryField is the Vary that a response needs beside its own fields if it is sent in several codings; ok is false if those say it.
func VaryField(fields []Field) (f Field, ok bool) {
	for line := range lines(fields, "Vary") {
		for line != "" {
			var name string
			name, line, _ = cutElement(line)
			if name == "*" || sameName(name, acceptEncoding) {
				return Field{}, false
			}
		}
	}
	return Field{"Vary", "Accept-Encoding"}, true
}

// Negotiable notes that the response is sent in several codings. They have one Last-Modified, so that no part of the one may be
// put to a part of another by it: as a validator it is weak (RFC 9110 §8.8.2.2).
func (m *Metadata) Negotiable() { m.SharedDate = true }

// Coded is the metadata of the response in another coding, whose entity-tag is a weak one: the coded forms of a response are
// equivalent, which conditional requests on any of them find, but have other bytes, and have others again when they are made
// anew at another level (RFC 9110 §8.8.1, §8.8.3.3).
func (m *Metadata) Coded() Metadata {
	coded := *m
	coded.ETag = weak(m.ETag)
	coded.SharedDate = true
	return coded
}

// CodedFields appends the fields of a stored response as they are for its form in a coding: the entity-tag is weak, and what is
// about the stored bytes is gone (Content-Length, and the digests of RFC 9530, which are over the coded content).
func CodedFields(dst, fields []Field, c Coding) []Field {
	for _, f := range fields {
		switch {
		case sameName(f.Name, "ETag"):
			tag, rest, ok := cutEntityTag(trimOWS(f.Value))
			if !ok || rest != "" {
				continue
			}
			f.Value = weak(tag)
		case sameName(f.Name, "Content-Encoding"), aboutBytes(f.Name):
			continue
		}
		dst = append(dst, f)
	}
	return append(dst, Field{"Content-Encoding", c.String()})
}

// aboutBytes names the fields that are true for the content in one coding only.
func aboutBytes(name string) bool {
	switch len(name) {
	case 6:
		return sameName(name, "Digest") // RFC 3230
	case 11:
		return sameName(name, "Content-MD5") || sameName(name, "Repr-Digest")
	case 14:
		return sameName(name, "Content-Length") || sameName(name, "Content-Digest")
	}
	return false
}

// weak is an entity-tag's weak form, "" if there is none.
func weak(tag string) string {
	if tag == "" || isWeak(tag) {
		return tag
	}
	return "W/" + tag
}
