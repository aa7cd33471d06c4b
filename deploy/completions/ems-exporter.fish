# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ems_exporter_global_optspecs
    string join \n config.file= web.listen-address= web.telemetry-path= web.config.file= web.enable-lifecycle web.insecure events.file= events.format= events.start= storage.path= log.level= log.format= h/help V/version
end

function __fish_ems_exporter_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ems_exporter_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ems_exporter_using_subcommand
    set -l cmd (__fish_ems_exporter_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l config.file -d 'YAML configuration file; flags and variables override it' -r
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l web.listen-address -d 'Address to listen on: HOST:PORT, or :PORT for all interfaces; may be given more than once [default: 127.0.0.1:10777]' -r
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l web.telemetry-path -d 'Path of the metrics page [default: /metrics]' -r
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l web.config.file -d 'File with TLS, users and headers for the exporter\'s pages, in the format of Prometheus\' exporter-toolkit' -r
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l events.file -d 'Event file of the media server to follow, as a shell pattern; may be given more than once [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l events.format -d 'Format of the files of --events.file [default: detected from the content]' -r -f -a "text\t'entries of several lines'
json\t'an object in each line'
xml\t'XML documents'
w3c\t'tab-separated lines below a line #Fields'"
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l events.start -d 'Where to begin in event files that exist at the start [default: saved-or-end]' -r -f -a "saved-or-end\t'at the saved position; a file without one at its end'
saved-or-beginning\t'at the saved position; a file without one at its first byte'
beginning\t'at the first byte, whatever was saved'
end\t'at the end, whatever was saved'"
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l storage.path -d 'Directory for the checkpoint, which says how far event files have been read [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l log.level -d 'How much to log [default: info]' -r -f -a "error\t'only failures'
warn\t'also what needs an operator'
info\t'also changes of state'
debug\t'also every rejected event'
trace\t'everything'"
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l log.format -d 'How to write the log [default: text]' -r -f -a "text\t'lines for people'
json\t'an object in each line'"
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l web.enable-lifecycle -d 'Let POST /-/reload read the configuration files again, as SIGHUP does'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -l web.insecure -d 'Allow unauthenticated access beyond loopback'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -s V -l version -d 'Print version'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "serve" -d 'Receive events and expose metrics (the default)'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "demo" -d 'Serve, with a simulated media server that posts to it'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "simulate" -d 'Simulate a media server that posts its events over HTTP'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "check-config" -d 'Check flags and configuration file, report every fault, and exit with 0 if there is none'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "healthcheck" -d 'Query the health of the running exporter, and exit with 0 if it is healthy'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "rules" -d 'Test rules without calling anything'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "replay" -d 'Read finished event files as fast as possible and print a summary'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "sink-config" -d 'Print the block for the media server\'s config.lua that makes it post its events here'
complete -c ems-exporter -n "__fish_ems_exporter_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l config.file -d 'YAML configuration file; flags and variables override it' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l web.listen-address -d 'Address to listen on: HOST:PORT, or :PORT for all interfaces; may be given more than once [default: 127.0.0.1:10777]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l web.telemetry-path -d 'Path of the metrics page [default: /metrics]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l web.config.file -d 'File with TLS, users and headers for the exporter\'s pages, in the format of Prometheus\' exporter-toolkit' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l events.file -d 'Event file of the media server to follow, as a shell pattern; may be given more than once [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l events.format -d 'Format of the files of --events.file [default: detected from the content]' -r -f -a "text\t'entries of several lines'
json\t'an object in each line'
xml\t'XML documents'
w3c\t'tab-separated lines below a line #Fields'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l events.start -d 'Where to begin in event files that exist at the start [default: saved-or-end]' -r -f -a "saved-or-end\t'at the saved position; a file without one at its end'
saved-or-beginning\t'at the saved position; a file without one at its first byte'
beginning\t'at the first byte, whatever was saved'
end\t'at the end, whatever was saved'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l storage.path -d 'Directory for the checkpoint, which says how far event files have been read [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l log.level -d 'How much to log [default: info]' -r -f -a "error\t'only failures'
warn\t'also what needs an operator'
info\t'also changes of state'
debug\t'also every rejected event'
trace\t'everything'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l log.format -d 'How to write the log [default: text]' -r -f -a "text\t'lines for people'
json\t'an object in each line'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l web.enable-lifecycle -d 'Let POST /-/reload read the configuration files again, as SIGHUP does'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -l web.insecure -d 'Allow unauthenticated access beyond loopback'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l config.file -d 'YAML configuration file; flags and variables override it' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l web.listen-address -d 'Address to listen on: HOST:PORT, or :PORT for all interfaces; may be given more than once [default: 127.0.0.1:10777]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l web.telemetry-path -d 'Path of the metrics page [default: /metrics]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l web.config.file -d 'File with TLS, users and headers for the exporter\'s pages, in the format of Prometheus\' exporter-toolkit' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l events.file -d 'Event file of the media server to follow, as a shell pattern; may be given more than once [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l events.format -d 'Format of the files of --events.file [default: detected from the content]' -r -f -a "text\t'entries of several lines'
json\t'an object in each line'
xml\t'XML documents'
w3c\t'tab-separated lines below a line #Fields'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l events.start -d 'Where to begin in event files that exist at the start [default: saved-or-end]' -r -f -a "saved-or-end\t'at the saved position; a file without one at its end'
saved-or-beginning\t'at the saved position; a file without one at its first byte'
beginning\t'at the first byte, whatever was saved'
end\t'at the end, whatever was saved'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l storage.path -d 'Directory for the checkpoint, which says how far event files have been read [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l log.level -d 'How much to log [default: info]' -r -f -a "error\t'only failures'
warn\t'also what needs an operator'
info\t'also changes of state'
debug\t'also every rejected event'
trace\t'everything'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l log.format -d 'How to write the log [default: text]' -r -f -a "text\t'lines for people'
json\t'an object in each line'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l streams -d 'How many streams the simulated server has' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l speed -d 'How much faster than the wall clock the simulated server runs' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l web.enable-lifecycle -d 'Let POST /-/reload read the configuration files again, as SIGHUP does'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -l web.insecure -d 'Allow unauthenticated access beyond loopback'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l url -d 'Where to post the events: http://host:port/path?query' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l streams -d 'How many streams (cam1, cam2, …) are published or pulled' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l chunk-length -d 'The configured length of a chunk, in whole seconds (humantime, such as 4s)' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l speed -d 'How much faster than the wall clock simulated time passes; the stamps in its events stay on the wall clock' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l seed -d 'The seed of everything random: the same seed gives the same events' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l format -d 'The serializer of the bodies' -r -f -a "json\t'Compact JSON'
xml\t'Typed XML'
xmlrpc\t'An XML-RPC call'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l duration -d 'Stop the server gracefully after this much real time (humantime, such as 10m); it runs until stopped when absent' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l stall -d 'Let an output stop writing chunks for a while although its stream stays up' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l unwritable -d 'Let an output be unable to write for a while: the server closes it and creates it anew each second, and it is open for 50 to 105 ms of each, without a chunk' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l write-files -d 'Write the files of chunks below this folder, a few of them for each output' -r -F
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l disk-full -d 'Let the disk be full for an output for a while: the files of its chunks are empty, and the events say nothing of it' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l freeze -d 'Let no more packets arrive on a stream whose connection stays up: none of its outputs writes a chunk until the stream is reconnected' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l stream-expiry -d 'The server\'s streamsExpireTimer: a frozen stream is closed after 1.8 to 2.1 times this, and its source is back some seconds later. Frozen streams stay open when absent' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l lose-push -d 'Let the remote server of a stream\'s push go away for good: the push closes, and only a newly created push connects again' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l audio-only -d 'Let a stream have no video: the server reports the codec VPT for it one second after the start, and its video feed as stopped for ever. It is written as DASH alone, whose video track has no chunks' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l video-only -d 'Let a stream have no audio: the server reports the codec APT for it one second after the start, and its audio feed as stopped for ever. It is written as HLS alone' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l lose -d 'The share of all events that are lost on the way, from 0 to 1' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l lose-closes -d 'The share of closing events (streams, timers, web sessions) that are lost on the way, from 0 to 1' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l duplicates -d 'The share of events that are posted twice, from 0 to 1' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l reorder -d 'The share of events that are held back for up to two real seconds, so that later ones overtake them, from 0 to 1' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l crash-after -d 'Crash after this long, without any event, and restart as a new process whose ids begin at 1' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l crash-pause -d 'How long the server is gone after a crash' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l burst -d 'Open this many more streams (burst1, burst2, …) at once, for half a minute, shortly after the start and again later' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l burst-every -d 'The time from one burst to the next, at least one minute' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l api -d 'Where the runtime API is served: host:port; it is off when absent' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l api-auth -d 'Answer also below /apiproxy/, as behind the web server\'s proxy, to callers with this user and password' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l api-fail -d 'The share of API calls that are answered with FAIL, from 0 to 1' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l api-reset -d 'The share of API calls whose connection is dropped without an answer; about half of them have been carried out' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l api-garbage -d 'The share of API calls that are answered with invalid JSON; about half of them have been carried out' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l api-slow -d 'The share of API calls that are answered late; about half of them have been carried out at once' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l api-slow-for -d 'The delay of late answers, in real time' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l nul-header -d 'Send the NUL byte inside a header name that a stock RMS sends, with that server\'s names'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l crash-keep-pid -d 'Keep the process id across the crash, as in a container where the server always has the same one'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l unattended -d 'Create outputs, pushes and timers only on API commands; streams still come and go'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -l hostile-names -d 'Add streams whose names hold spaces, quotes, markup, control bytes, invalid UTF-8, path steps and more'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l config.file -d 'YAML configuration file; flags and variables override it' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l web.listen-address -d 'Address to listen on: HOST:PORT, or :PORT for all interfaces; may be given more than once [default: 127.0.0.1:10777]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l web.telemetry-path -d 'Path of the metrics page [default: /metrics]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l web.config.file -d 'File with TLS, users and headers for the exporter\'s pages, in the format of Prometheus\' exporter-toolkit' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l events.file -d 'Event file of the media server to follow, as a shell pattern; may be given more than once [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l events.format -d 'Format of the files of --events.file [default: detected from the content]' -r -f -a "text\t'entries of several lines'
json\t'an object in each line'
xml\t'XML documents'
w3c\t'tab-separated lines below a line #Fields'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l events.start -d 'Where to begin in event files that exist at the start [default: saved-or-end]' -r -f -a "saved-or-end\t'at the saved position; a file without one at its end'
saved-or-beginning\t'at the saved position; a file without one at its first byte'
beginning\t'at the first byte, whatever was saved'
end\t'at the end, whatever was saved'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l storage.path -d 'Directory for the checkpoint, which says how far event files have been read [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l log.level -d 'How much to log [default: info]' -r -f -a "error\t'only failures'
warn\t'also what needs an operator'
info\t'also changes of state'
debug\t'also every rejected event'
trace\t'everything'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l log.format -d 'How to write the log [default: text]' -r -f -a "text\t'lines for people'
json\t'an object in each line'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l web.enable-lifecycle -d 'Let POST /-/reload read the configuration files again, as SIGHUP does'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -l web.insecure -d 'Allow unauthenticated access beyond loopback'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand check-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l config.file -d 'YAML configuration file; flags and variables override it' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l web.listen-address -d 'Address to listen on: HOST:PORT, or :PORT for all interfaces; may be given more than once [default: 127.0.0.1:10777]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l web.telemetry-path -d 'Path of the metrics page [default: /metrics]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l web.config.file -d 'File with TLS, users and headers for the exporter\'s pages, in the format of Prometheus\' exporter-toolkit' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l events.file -d 'Event file of the media server to follow, as a shell pattern; may be given more than once [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l events.format -d 'Format of the files of --events.file [default: detected from the content]' -r -f -a "text\t'entries of several lines'
json\t'an object in each line'
xml\t'XML documents'
w3c\t'tab-separated lines below a line #Fields'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l events.start -d 'Where to begin in event files that exist at the start [default: saved-or-end]' -r -f -a "saved-or-end\t'at the saved position; a file without one at its end'
saved-or-beginning\t'at the saved position; a file without one at its first byte'
beginning\t'at the first byte, whatever was saved'
end\t'at the end, whatever was saved'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l storage.path -d 'Directory for the checkpoint, which says how far event files have been read [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l log.level -d 'How much to log [default: info]' -r -f -a "error\t'only failures'
warn\t'also what needs an operator'
info\t'also changes of state'
debug\t'also every rejected event'
trace\t'everything'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l log.format -d 'How to write the log [default: text]' -r -f -a "text\t'lines for people'
json\t'an object in each line'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l web.enable-lifecycle -d 'Let POST /-/reload read the configuration files again, as SIGHUP does'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -l web.insecure -d 'Allow unauthenticated access beyond loopback'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand healthcheck" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and not __fish_seen_subcommand_from test help" -s h -l help -d 'Print help'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and not __fish_seen_subcommand_from test help" -f -a "test" -d 'Apply the events of a file and print what each rule would do with each of them'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and not __fish_seen_subcommand_from test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and __fish_seen_subcommand_from test" -l config.file -d 'YAML configuration file with the rules' -r -F
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and __fish_seen_subcommand_from test" -l event -d 'File with one or more events as the media server sends them, or derived events such as {"type":"chunkStalled","payload":{"format":"hls","group":"g","stream":"cam1"}}' -r -F
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and __fish_seen_subcommand_from test" -l server -d 'The media server that they come from [default: the first that is configured]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "test" -d 'Apply the events of a file and print what each rule would do with each of them'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand replay" -l format -d 'Format of the files: json, xml, text or w3c [default: found from their content]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand replay" -l metrics -d 'Print the metrics page after these events instead of the summary'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand replay" -s h -l help -d 'Print help'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l config.file -d 'YAML configuration file; flags and variables override it' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l web.listen-address -d 'Address to listen on: HOST:PORT, or :PORT for all interfaces; may be given more than once [default: 127.0.0.1:10777]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l web.telemetry-path -d 'Path of the metrics page [default: /metrics]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l web.config.file -d 'File with TLS, users and headers for the exporter\'s pages, in the format of Prometheus\' exporter-toolkit' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l events.file -d 'Event file of the media server to follow, as a shell pattern; may be given more than once [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l events.format -d 'Format of the files of --events.file [default: detected from the content]' -r -f -a "text\t'entries of several lines'
json\t'an object in each line'
xml\t'XML documents'
w3c\t'tab-separated lines below a line #Fields'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l events.start -d 'Where to begin in event files that exist at the start [default: saved-or-end]' -r -f -a "saved-or-end\t'at the saved position; a file without one at its end'
saved-or-beginning\t'at the saved position; a file without one at its first byte'
beginning\t'at the first byte, whatever was saved'
end\t'at the end, whatever was saved'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l storage.path -d 'Directory for the checkpoint, which says how far event files have been read [default: none]' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l log.level -d 'How much to log [default: info]' -r -f -a "error\t'only failures'
warn\t'also what needs an operator'
info\t'also changes of state'
debug\t'also every rejected event'
trace\t'everything'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l log.format -d 'How to write the log [default: text]' -r -f -a "text\t'lines for people'
json\t'an object in each line'"
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l server -d 'The name of the server: the value of the label `server`' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l file -d 'Print the block for event files of this name in place of the one for HTTP' -r
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l web.enable-lifecycle -d 'Let POST /-/reload read the configuration files again, as SIGHUP does'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -l web.insecure -d 'Allow unauthenticated access beyond loopback'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand sink-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "serve" -d 'Receive events and expose metrics (the default)'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "demo" -d 'Serve, with a simulated media server that posts to it'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "simulate" -d 'Simulate a media server that posts its events over HTTP'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "check-config" -d 'Check flags and configuration file, report every fault, and exit with 0 if there is none'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "healthcheck" -d 'Query the health of the running exporter, and exit with 0 if it is healthy'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "rules" -d 'Test rules without calling anything'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "replay" -d 'Read finished event files as fast as possible and print a summary'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "sink-config" -d 'Print the block for the media server\'s config.lua that makes it post its events here'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and not __fish_seen_subcommand_from serve demo simulate check-config healthcheck rules replay sink-config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ems-exporter -n "__fish_ems_exporter_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "test" -d 'Apply the events of a file and print what each rule would do with each of them'
