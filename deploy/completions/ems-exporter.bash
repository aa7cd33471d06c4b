_ems__exporter() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="ems__exporter"
                ;;
            ems__exporter,check-config)
                cmd="ems__exporter__subcmd__check__subcmd__config"
                ;;
            ems__exporter,demo)
                cmd="ems__exporter__subcmd__demo"
                ;;
            ems__exporter,healthcheck)
                cmd="ems__exporter__subcmd__healthcheck"
                ;;
            ems__exporter,help)
                cmd="ems__exporter__subcmd__help"
                ;;
            ems__exporter,replay)
                cmd="ems__exporter__subcmd__replay"
                ;;
            ems__exporter,rules)
                cmd="ems__exporter__subcmd__rules"
                ;;
            ems__exporter,serve)
                cmd="ems__exporter__subcmd__serve"
                ;;
            ems__exporter,simulate)
                cmd="ems__exporter__subcmd__simulate"
                ;;
            ems__exporter,sink-config)
                cmd="ems__exporter__subcmd__sink__subcmd__config"
                ;;
            ems__exporter__subcmd__help,check-config)
                cmd="ems__exporter__subcmd__help__subcmd__check__subcmd__config"
                ;;
            ems__exporter__subcmd__help,demo)
                cmd="ems__exporter__subcmd__help__subcmd__demo"
                ;;
            ems__exporter__subcmd__help,healthcheck)
                cmd="ems__exporter__subcmd__help__subcmd__healthcheck"
                ;;
            ems__exporter__subcmd__help,help)
                cmd="ems__exporter__subcmd__help__subcmd__help"
                ;;
            ems__exporter__subcmd__help,replay)
                cmd="ems__exporter__subcmd__help__subcmd__replay"
                ;;
            ems__exporter__subcmd__help,rules)
                cmd="ems__exporter__subcmd__help__subcmd__rules"
                ;;
            ems__exporter__subcmd__help,serve)
                cmd="ems__exporter__subcmd__help__subcmd__serve"
                ;;
            ems__exporter__subcmd__help,simulate)
                cmd="ems__exporter__subcmd__help__subcmd__simulate"
                ;;
            ems__exporter__subcmd__help,sink-config)
                cmd="ems__exporter__subcmd__help__subcmd__sink__subcmd__config"
                ;;
            ems__exporter__subcmd__help__subcmd__rules,test)
                cmd="ems__exporter__subcmd__help__subcmd__rules__subcmd__test"
                ;;
            ems__exporter__subcmd__rules,help)
                cmd="ems__exporter__subcmd__rules__subcmd__help"
                ;;
            ems__exporter__subcmd__rules,test)
                cmd="ems__exporter__subcmd__rules__subcmd__test"
                ;;
            ems__exporter__subcmd__rules__subcmd__help,help)
                cmd="ems__exporter__subcmd__rules__subcmd__help__subcmd__help"
                ;;
            ems__exporter__subcmd__rules__subcmd__help,test)
                cmd="ems__exporter__subcmd__rules__subcmd__help__subcmd__test"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        ems__exporter)
            opts="-h -V --config.file --web.listen-address --web.telemetry-path --web.config.file --web.enable-lifecycle --web.insecure --events.file --events.format --events.start --storage.path --log.level --log.format --help --version serve demo simulate check-config healthcheck rules replay sink-config help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.listen-address)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.telemetry-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.format)
                    COMPREPLY=($(compgen -W "text json xml w3c" -- "${cur}"))
                    return 0
                    ;;
                --events.start)
                    COMPREPLY=($(compgen -W "saved-or-end saved-or-beginning beginning end" -- "${cur}"))
                    return 0
                    ;;
                --storage.path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log.level)
                    COMPREPLY=($(compgen -W "error warn info debug trace" -- "${cur}"))
                    return 0
                    ;;
                --log.format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__check__subcmd__config)
            opts="-h --config.file --web.listen-address --web.telemetry-path --web.config.file --web.enable-lifecycle --web.insecure --events.file --events.format --events.start --storage.path --log.level --log.format --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.listen-address)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.telemetry-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.format)
                    COMPREPLY=($(compgen -W "text json xml w3c" -- "${cur}"))
                    return 0
                    ;;
                --events.start)
                    COMPREPLY=($(compgen -W "saved-or-end saved-or-beginning beginning end" -- "${cur}"))
                    return 0
                    ;;
                --storage.path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log.level)
                    COMPREPLY=($(compgen -W "error warn info debug trace" -- "${cur}"))
                    return 0
                    ;;
                --log.format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__demo)
            opts="-h --config.file --web.listen-address --web.telemetry-path --web.config.file --web.enable-lifecycle --web.insecure --events.file --events.format --events.start --storage.path --log.level --log.format --streams --speed --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.listen-address)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.telemetry-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.format)
                    COMPREPLY=($(compgen -W "text json xml w3c" -- "${cur}"))
                    return 0
                    ;;
                --events.start)
                    COMPREPLY=($(compgen -W "saved-or-end saved-or-beginning beginning end" -- "${cur}"))
                    return 0
                    ;;
                --storage.path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log.level)
                    COMPREPLY=($(compgen -W "error warn info debug trace" -- "${cur}"))
                    return 0
                    ;;
                --log.format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                --streams)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --speed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__healthcheck)
            opts="-h --config.file --web.listen-address --web.telemetry-path --web.config.file --web.enable-lifecycle --web.insecure --events.file --events.format --events.start --storage.path --log.level --log.format --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.listen-address)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.telemetry-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.format)
                    COMPREPLY=($(compgen -W "text json xml w3c" -- "${cur}"))
                    return 0
                    ;;
                --events.start)
                    COMPREPLY=($(compgen -W "saved-or-end saved-or-beginning beginning end" -- "${cur}"))
                    return 0
                    ;;
                --storage.path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log.level)
                    COMPREPLY=($(compgen -W "error warn info debug trace" -- "${cur}"))
                    return 0
                    ;;
                --log.format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help)
            opts="serve demo simulate check-config healthcheck rules replay sink-config help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__check__subcmd__config)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__demo)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__healthcheck)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__replay)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__rules)
            opts="test"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__rules__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__serve)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__simulate)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__help__subcmd__sink__subcmd__config)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__replay)
            opts="-h --format --metrics --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --format)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__rules)
            opts="-h --help test help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__rules__subcmd__help)
            opts="test help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__rules__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__rules__subcmd__help__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__rules__subcmd__test)
            opts="-h --config.file --event --server --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --event)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --server)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__serve)
            opts="-h --config.file --web.listen-address --web.telemetry-path --web.config.file --web.enable-lifecycle --web.insecure --events.file --events.format --events.start --storage.path --log.level --log.format --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.listen-address)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.telemetry-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.format)
                    COMPREPLY=($(compgen -W "text json xml w3c" -- "${cur}"))
                    return 0
                    ;;
                --events.start)
                    COMPREPLY=($(compgen -W "saved-or-end saved-or-beginning beginning end" -- "${cur}"))
                    return 0
                    ;;
                --storage.path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log.level)
                    COMPREPLY=($(compgen -W "error warn info debug trace" -- "${cur}"))
                    return 0
                    ;;
                --log.format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__simulate)
            opts="-h --url --streams --chunk-length --speed --seed --format --duration --nul-header --stall --unwritable --write-files --disk-full --freeze --stream-expiry --lose-push --audio-only --video-only --lose --lose-closes --duplicates --reorder --crash-after --crash-pause --crash-keep-pid --burst --burst-every --unattended --api --api-auth --api-fail --api-reset --api-garbage --api-slow --api-slow-for --hostile-names --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --streams)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --chunk-length)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --speed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --seed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --format)
                    COMPREPLY=($(compgen -W "json xml xmlrpc" -- "${cur}"))
                    return 0
                    ;;
                --duration)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stall)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --unwritable)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --write-files)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --disk-full)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --freeze)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stream-expiry)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --lose-push)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --audio-only)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --video-only)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --lose)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --lose-closes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --duplicates)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reorder)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --crash-after)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --crash-pause)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --burst)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --burst-every)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-auth)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-fail)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-reset)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-garbage)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-slow)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --api-slow-for)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        ems__subcmd__exporter__subcmd__sink__subcmd__config)
            opts="-h --config.file --web.listen-address --web.telemetry-path --web.config.file --web.enable-lifecycle --web.insecure --events.file --events.format --events.start --storage.path --log.level --log.format --server --file --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.listen-address)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.telemetry-path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --web.config.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --events.format)
                    COMPREPLY=($(compgen -W "text json xml w3c" -- "${cur}"))
                    return 0
                    ;;
                --events.start)
                    COMPREPLY=($(compgen -W "saved-or-end saved-or-beginning beginning end" -- "${cur}"))
                    return 0
                    ;;
                --storage.path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --log.level)
                    COMPREPLY=($(compgen -W "error warn info debug trace" -- "${cur}"))
                    return 0
                    ;;
                --log.format)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                --server)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _ems__exporter -o nosort -o bashdefault -o default ems-exporter
else
    complete -F _ems__exporter -o bashdefault -o default ems-exporter
fi
