# Look for a submission server from inside an application that has Ruby; answers as submission.py does.
require "json"
require "openssl"
require "socket"
require "timeout"

MARK, HOST, WAYS, CA_FILE, LIMIT = ARGV

class Failed < StandardError
end

def reply(stream)
  text = +""
  loop do
    line = stream.gets or raise Failed, "bad-answer"
    text << line
    return text unless line[3] == "-"
  end
end

def ask(stream, command)
  stream.write("#{command}\r\n")
  reply(stream)
end

def encrypt(plain, verify)
  context = OpenSSL::SSL::SSLContext.new
  context.set_params(verify_mode: verify ? OpenSSL::SSL::VERIFY_PEER : OpenSSL::SSL::VERIFY_NONE)
  context.verify_hostname = false
  context.ca_file = CA_FILE unless CA_FILE.empty?
  stream = OpenSSL::SSL::SSLSocket.new(plain, context)
  stream.hostname = HOST unless HOST.match?(/\A[\d.]+\z|:/)
  stream.sync_close = true
  stream.connect
  # Asked apart from the chain, so that a wrong name and an unknown authority are told apart.
  raise Failed, "name-mismatch" if verify && !OpenSSL::SSL.verify_certificate_identity(stream.peer_cert, HOST)
  stream
end

def open_way(port, security, verify)
  plain = TCPSocket.new(HOST, port)
  if security == "tls"
    stream = encrypt(plain, verify)
    reply(stream)
    return stream
  end
  reply(plain)
  raise Failed, "no-starttls" unless ask(plain, "EHLO probe").match?(/^250[ -]STARTTLS/i)
  ask(plain, "STARTTLS")
  encrypt(plain, verify)
end

def kind_of(error)
  case error
  when Failed then error.message
  when Timeout::Error, Errno::ETIMEDOUT then "timeout"
  when Errno::ECONNREFUSED then "refused"
  when OpenSSL::SSL::SSLError then error.message.include?("certificate verify failed") ? "untrusted" : "no-tls"
  when SocketError then "unresolvable"
  else "unreachable"
  end
end

def certificate(port, security)
  Timeout.timeout(LIMIT.to_f) { [open_way(port, security, false).peer_cert.to_der].pack("m0") }
rescue StandardError
  ""
end

WAYS.split(",").each do |way|
  port, security = way.split(":")
  result = { port: port.to_i, security: security, kind: "ok", tls: "", detail: "", certificate: "" }
  begin
    Timeout.timeout(LIMIT.to_f) do
      stream = open_way(port.to_i, security, true)
      result[:tls] = stream.ssl_version
      result[:kind] = "no-auth" unless ask(stream, "EHLO probe").match?(/^250[ -]AUTH[ =]/i)
    end
  rescue StandardError => error
    result[:kind] = kind_of(error)
    result[:detail] = error.message
    result[:certificate] = certificate(port.to_i, security) if %w[untrusted name-mismatch].include?(result[:kind])
  end
  puts MARK + JSON.generate(result)
  break if result[:kind] == "ok"
end
