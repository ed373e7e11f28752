vcl 4.1;

backend origin {
	.host = "{{host .Origin}}";
	.port = "{{port .Origin}}";
}
{{- if .Refuse}}

acl denied { "127.0.0.1"; }
{{- end}}

sub vcl_recv {
{{- if .Refuse}}
	if (client.ip ~ denied) { return (synth(403)); }
{{- end}}
{{- if not .Cacheable}}
	# Else Varnish would have to learn it, and remember it for each URL.
	return (pass);
{{- end}}
}
