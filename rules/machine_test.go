package rules

import "testing"

// TestResetForgetsParts: after Reset a machine holds nothing of what was split or put together, nor more memory than a split takes.
func TestResetForgetsParts(t *testing.T) {
	s, err := NewScheme([]Field{{Name: "text", Type: Bytes}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const four = `split(text, ",", 128), split(text, ",", 128), split(text, ",", 128), split(text, ",", 128), `
	f, err := Compile(s, `len(concat(`+four+`split(text, ",", 128))) gt 100 and split(text, ",")[0] eq "a"`)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine(s)
	text := "a"
	for range maxParts {
		text += ",a"
	}
	for range 2 { // the memory that is kept serves again
		m.Reset(only(text))
		if !f.Match(m) || m.Exceeded() {
			t.Fatal("got no match")
		}
		m.Reset(nil)
		for _, p := range m.splits {
			if cap(p.of) > 2*maxParts {
				t.Errorf("%d elements are kept", cap(p.of))
			}
			for _, v := range p.of[:cap(p.of)] {
				if !v.Missing() {
					t.Fatalf("%v is kept", v)
				}
			}
		}
	}
}

// only is a source of one text.
type only string

func (o only) Value(int) Value { return BytesValue(string(o)) }
