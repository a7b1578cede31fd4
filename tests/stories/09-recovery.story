# Two of three voters are lost for good. The third refuses to go on before the others' seats have ended, then does.
office 6 desktops seats 2 ttl 15s
> 3 voters, 2 standbys, 1 spare
call Lost the holder
call Gone a voter
call Left a voter
call Spare a spare
checkout eva@Spare as a
> granted
recover Left
> refused: the site works: a majority of the voting machines answers, and nothing needs to be recovered
kill Lost Gone
recover Left
> refused: machines that this one does not see may still use seats for 10 s
checkout adam@Spare as b
> refused: the site did not answer in time
wait 20s
recover Left
> done
show roles
> 1 voter, 0 standbys, 5 spares
> Lost: spare, off
> Gone: spare, off
> Left: holder
> Spare: spare
show seats
> 1 of 2 taken in the books; used by nobody
checkout max@Spare as c within 10s
> granted, on one disk only
start Lost Gone
await 3 voters within 30s
> yes
leave Gone
> done
checkout ida@Lost as d within 10s
> granted
show seats
> 2 of 2 taken in the books; used by c, d
