package rules

import (
	"bytes"
	mime "mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

const formType = `multipart/form-data; boundary=b`

// TestMultipart reads bodies in parts, as RFC 2046 and RFC 7578 have them and as attackers do.
func TestMultipart(t *testing.T) {
	const head = "--b\r\nContent-Disposition: form-data; "
	type part struct{ Name, Filename, Value string } // of several names, with commas between them
	tests := []struct {
		name, contentType, body string
		want                    []part
	}{
		{"two parts", formType, head + "name=\"user\"\r\n\r\nann\r\n" + head + "name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nx\r\ny\r\n--b--\r\n",
			[]part{{"user", "", "ann"}, {"file", "a.txt", "x\r\ny"}}},
		{"preamble and epilogue", formType, "pre\r\n" + head + "name=a\r\n\r\n1\r\n--b--\r\n" + head + "name=z\r\n\r\n2\r\n--b--", []part{{"a", "", "1"}}},
		{"padding", formType, "--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b  \r\n\r\n2\r\n--b--", []part{{"a", "", "1"}, {"", "", "2"}}},
		{"line feeds alone", formType, "--b\nContent-Disposition: form-data; name=a\n\n1\n--b--\n", []part{{"a", "", "1"}}},
		{"a boundary in a value", formType, head + "name=a\r\n\r\nx--b\r\n--bb\r\n--b", []part{{"a", "", "x--b\r\n--bb"}}},
		{"cut off in a value", formType, head + "name=a\r\n\r\n12", []part{{"a", "", "12"}}},
		{"cut off in a header", formType, head + "name=a", []part{{"a", "", ""}}},
		{"cut off in a delimiter", formType, head + "name=a\r\n\r\n1\r\n--b ", []part{{"a", "", "1"}}},
		{"empty parts", formType, "--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--", []part{{}, {}, {}}},
		{"no header", formType, "--b\r\n\r\nvalue\r\n--b--", []part{{"", "", "value"}}},
		{"quotes", formType, head + `name="a\"b;c"; filename="C:\dir\f.txt"` + "\r\n\r\n1\r\n--b--", []part{{`a"b;c`, `C:\dir\f.txt`, "1"}}},
		{"no end of quotes", formType, head + `name="a; filename=b` + "\r\n\r\n1\r\n--b--", []part{{"a; filename=b", "", "1"}}},
		{"spaces and case", "Multipart/Form-Data ; Charset=utf-8; BOUNDARY = \"b\"", "--b\r\ncontent-disposition : FORM-DATA;NAME = a ; x ; FileName= f \r\n\r\n1\r\n--b--",
			[]part{{"a", "f", "1"}}},
		{"an extended file name", formType, head + "name=a; filename=x; filename*=UTF-8''a%20b\r\n\r\n1\r\n--b--", []part{{"a", "x,a b", "1"}}},
		{"one that is none", formType, head + "name=a; filename*=%zz\r\n\r\n1\r\n--b--", []part{{"a", "%zz", "1"}}},
		{"two names", formType, head + "name=a; name=b\r\n\r\n1\r\n--b--", []part{{"a,b", "", "1"}}},
		{"two dispositions", formType, "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n1\r\n--b--", []part{{"a,b", "", "1"}}},
		{"a folded line", formType, "--b\r\n folded\r\nContent-Disposition: form-data;\r\n\tname=a;\r\n filename=f\r\n\r\n1\r\n--b--", []part{{"a", "f", "1"}}},
		{"another multipart", "multipart/mixed; boundary=b", head + "name=a\r\n\r\n1\r\n--b--", []part{{"a", "", "1"}}},
		{"two boundaries", "multipart/form-data; boundary=b; boundary=c", head + "name=a\r\n\r\n1\r\n--b--", []part{{"a", "", "1"}}},
		{"another type", "text/plain; boundary=b", head + "name=a\r\n\r\n1\r\n--b--", nil},
		{"no boundary", "multipart/form-data", head + "name=a\r\n\r\n1\r\n--b--", nil},
		{"an empty boundary", `multipart/form-data; boundary=""`, "--\r\n\r\n1\r\n----", nil},
		{"a boundary that is too long", "multipart/form-data; boundary=" + strings.Repeat("b", maxBoundary+1), "--" + strings.Repeat("b", maxBoundary+1) + "\r\n\r\n1", nil},
		{"no body", formType, "", nil},
		{"no part", formType, "--b--", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := parted(tt.contentType, tt.body)
			var got []part
			for i, value := range m.values.of {
				got = append(got, part{strings.Join(m.names.of[i].of, ","), strings.Join(m.filenames.of[i].of, ","), value})
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// parted is what a source makes of a body.
func parted(contentType, body string) *multipart {
	var s source
	s.reset(request("/", "Content-Type: "+contentType))
	s.body = &peeked{text: body, whole: true}
	return s.multipart()
}

// TestMultipartBounds: what is beyond the bounds is passed over.
func TestMultipartBounds(t *testing.T) {
	many := parted(formType, strings.Repeat("--b\r\n\r\nx\r\n", maxFormParts+10))
	if got := len(many.values.of); got != maxFormParts {
		t.Errorf("got %d parts, want %d", got, maxFormParts)
	}
	long := parted(formType, "--b\r\n"+strings.Repeat("x: y\r\n folded\r\n", maxBody/16)+"Content-Disposition: form-data; name=a\r\n\r\n1\r\n--b--")
	if len(long.values.of) != 1 || long.values.of[0] != "1" || len(long.names.of[0].of) != 0 {
		t.Errorf("got %+v, want one part, without what is far down in its header", long)
	}
	names := parted(formType, "--b\r\nContent-Disposition: form-data"+strings.Repeat("; name=a", 100)+"\r\n\r\n1\r\n--b--")
	if got := len(names.names.of[0].of); got != maxPartTexts {
		t.Errorf("got %d names, want %d", got, maxPartTexts)
	}
}

// TestMultipartJudged has a rule block a file by its name, in the phase of bodies.
func TestMultipartJudged(t *testing.T) {
	set := compile(t, &spec.Rules{Firewall: []spec.Rule{blocking("php", `any(ends_with(http.request.body.multipart.filenames[*][0], ".php"))`)}})
	for name, want := range map[string]bool{"a.php": true, "a.png": false} {
		f := post("203.0.113.1", formType, "--b\r\nContent-Disposition: form-data; name=f; filename="+name+"\r\n\r\n<?php\r\n--b--")
		set.Judge(f, dryRun(false))
		set.JudgeContent(f, dryRun(false))
		if got := f.Verdict.Refusal != nil; got != want {
			t.Errorf("%s: blocked %v, want %v", name, got, want)
		}
	}
}

// FuzzMultipart: no body makes it panic, go beyond its bounds, or see what is not there; and what package mime writes is read as it was meant.
func FuzzMultipart(f *testing.F) {
	f.Add(formType, "--b\r\nContent-Disposition: form-data; name=\"a\"; filename*=UTF-8''%41\r\n\r\n1\r\n--b--", "user", "ann")
	f.Add("multipart/mixed;boundary=\"b\";;=", "x\n--b \n folded\ncontent-disposition:;name=\"\\\"\n\n--b", `a"\`, "\r\n--")
	f.Fuzz(func(t *testing.T, contentType, body, name, value string) {
		m := parted(contentType, body)
		n := len(m.values.of)
		if n > maxFormParts || len(m.names.of) != n || len(m.filenames.of) != n || len(m.types.of) != n || len(m.dispositions.of) != n || len(m.transferCoding.of) != n {
			t.Fatalf("%d values, but %+v", n, m)
		}
		total := 0
		for _, v := range m.values.of {
			if total += len(v); !strings.Contains(body, v) {
				t.Fatalf("%q is not in %q", v, body)
			}
		}
		if total > len(body) {
			t.Fatalf("%d bytes of values in a body of %d", total, len(body))
		}
		var b bytes.Buffer
		w := mime.NewWriter(&b)
		if strings.ContainsAny(name, "\r\n\x00\\\"%") || strings.Trim(name, " \t") != name || strings.Contains(value, w.Boundary()) {
			return
		}
		if w.WriteField(name, value) != nil || w.WriteField("next", value) != nil || w.Close() != nil {
			return
		}
		m = parted(w.FormDataContentType(), b.String())
		if d := cmp.Diff([]string{value, value}, m.values.of); d != "" {
			t.Fatalf("values (-want +got):\n%s", d)
		}
		if got := m.named[0].Name; got != name || m.named[1].Name != "next" {
			t.Fatalf("got the name %q, want %q", got, name)
		}
	})
}

func BenchmarkMultipart(b *testing.B) {
	body := strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n", 10) +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n" + strings.Repeat("x", 32<<10) + "\r\n--b--\r\n"
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		new(multipart).read(body, "b")
	}
}
